"""KnnLogitsProcessor of scripts/knnseq.py: generate() of transformers with a datastore, beside the program. Needs
torch and transformers, which the tests of CI do without: then it is skipped (exit code 77)."""
import contextlib
import importlib.util
import math
import re
import subprocess
import sys
import unittest

if not all(map(importlib.util.find_spec, ("torch", "transformers", "sentencepiece"))):
    print("skipped: torch, transformers or sentencepiece is not installed (scripts/requirements-dev.txt)")
    sys.exit(77)
import numpy as np
import torch
import transformers

import pipeline

sys.path[:0] = [str(pipeline.ROOT / "scripts"), str(pipeline.ROOT / "tests/support")]
import knnseq  # noqa: E402
import page_blocks  # noqa: E402

SENTENCES = 50


class Generate(pipeline.AppendingTest):
    def load(self, folder=pipeline.MODEL):
        return transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, dtype=torch.float32).eval()

    def test_all(self):
        for stage in ("partition", "encode", "train", "add", "append", "decode knn"):
            self.run_stage(stage)
        torch.set_num_threads(1)
        self.client, self.model = knnseq.Run(self.run_dir, folder=pipeline.ROOT), self.load()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(pipeline.MODEL)
        pairs = (pipeline.MODEL / "test.tsv").read_text(encoding="utf-8").splitlines()[600:600 + SENTENCES]
        self.sources = [pair.split("\t")[0] for pair in pairs]
        self.check_reference()
        self.check_greedy_search()
        self.check_beam_search()
        self.check_policies()
        self.check_what_is_refused()
        page = (pipeline.ROOT / "docs/python.md").read_text(encoding="utf-8").replace("run.scores", "{}")
        with contextlib.chdir(pipeline.ROOT):
            printed = page_blocks.run_page(page, "runs/demo", str(self.run_dir))
        self.assertRegex(printed[-1], r"largest difference: \de-0[5-9]")

    def ask(self, **how):
        options = ["--set", "beam_search.beam=1", "--set", "beam_search.max_length_b=60"]
        with self.client.translator(program=pipeline.PROGRAM, options=options) as translator:
            return translator.translate(self.sources, trace=True, nbest=1, **how)

    def generate(self, processor, sources, **how):
        inputs = self.tokenizer(sources, return_tensors="pt", padding=True)
        return self.model.generate(**inputs, logits_processor=[processor], do_sample=False, max_length=61, **how)

    def check_reference(self):
        """scripts/reference_knnmt.py, with transformers' own model."""
        done = subprocess.run([sys.executable, pipeline.ROOT / "scripts/reference_knnmt.py", self.run_dir],
                              capture_output=True, text=True)
        largest = re.search(r"^log p of each token +\d+ +(\S+)", done.stdout, re.M)
        self.assertTrue(largest, done.stdout + done.stderr)
        self.assertLess(float(largest[1]), 1e-4, done.stdout)

    def check_greedy_search(self):
        """The same translations in batches of 16, and log p of the trace within 1e-4."""
        answers, same = self.ask(), 0
        with self.client.logits_processor(self.model) as processor:
            for first in range(0, SENTENCES, 16):
                made = self.generate(processor, self.sources[first:first + 16], num_beams=1)
                for row, answer in zip(made, answers[first:first + 16]):
                    same += self.tokenizer.decode(row, skip_special_tokens=True) == answer["text"]
            for source, answer in zip(self.sources, answers):
                traced = answer["trace"]["target"]["tokens"]
                own = processor.log_probs(self.tokenizer(source).input_ids, [token["token"] for token in traced])
                np.testing.assert_allclose(own, [math.log(token["p"]) for token in traced], atol=1e-4)
        self.assertGreaterEqual(same, SENTENCES - 1)  # but for a tie
        base = self.ask(knn=False)
        self.assertLess(sum(a["text"] == b["text"] for a, b in zip(answers, base)), SENTENCES)

    def check_beam_search(self):
        """Scores of beam search are log p: their sum is that of the teacher-forced tokens."""
        with self.client.logits_processor(self.model, k=4, lambda_=0.3) as processor:
            made = self.generate(processor, self.sources[:4], num_beams=3, length_penalty=1.0,
                                 return_dict_in_generate=True, output_scores=True)
            for source, row, score in zip(self.sources, made.sequences, made.sequences_scores):
                eos = row.tolist().index(self.model.config.eos_token_id, 1)
                target = row[1:eos + 1].tolist()
                own = processor.log_probs(self.tokenizer(source).input_ids, target)
                self.assertAlmostEqual(own.sum() / len(target), float(score), delta=1e-3)

    def check_policies(self):
        settings = {"policy": "distance", "tau": 150, "temperature": 10, "threshold": -100.0}
        answers = self.ask(**settings)
        with self.client.logits_processor(self.model, **settings) as processor:
            for source, answer in list(zip(self.sources, answers))[:10]:
                traced = answer["trace"]["target"]["tokens"]
                own = processor.log_probs(self.tokenizer(source).input_ids, [token["token"] for token in traced])
                np.testing.assert_allclose(own, [math.log(token["p"]) for token in traced], atol=1e-4)

    def check_what_is_refused(self):
        processor = self.client.logits_processor(self.model)
        with self.assertRaisesRegex(ValueError, "put this one first"):
            inputs = self.tokenizer(self.sources[:1], return_tensors="pt")
            scale = transformers.RepetitionPenaltyLogitsProcessor(2.0)
            self.model.generate(**inputs, logits_processor=[scale, processor], num_beams=1, max_length=20)
        processor.remove()
        with self.assertRaisesRegex(knnseq.RunError, "was removed"):
            self.generate(processor, self.sources[:1], num_beams=1)
        other = self.load()
        with torch.no_grad():
            other.get_decoder().layers[2].self_attn.v_proj.weight.zero_()
        with self.assertRaisesRegex(knnseq.RunError, "differs from the stored key"):
            self.client.logits_processor(other)
        with self.assertRaisesRegex(ValueError, "call model.eval"):
            self.client.logits_processor(self.model.train())
        with self.assertRaisesRegex(knnseq.RunError, "has no decoder layer 2 with fc1"):
            self.client.logits_processor(torch.nn.Linear(2, 2).eval())


if __name__ == "__main__":
    unittest.main()
