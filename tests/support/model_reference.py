"""Writes expected.safetensors and beam.json: what a framework makes of a tiny model, in float64.

S sentences, X and Y the number of source and target ids of all of them, sentences joined in
order. Row i of a [.., Y, ..] tensor is the decoder's position that predicts target_ids[i].

  source_lengths  [S] int32       ids of each source
  source_ids      [X] int32       complete encoder inputs: EOS and language tokens included
  target_lengths  [S] int32       ids of each target
  target_ids      [Y] int32       values: EOS included, forced language tokens left out
  encoder_output  [X, d] f32      encoder's output
  decoder_layers  [L, Y, d] f32   outputs of the decoder's layers (post-norm: after the last norm;
                                  pre-norm: before the decoder's closing norm)
  ffn_in          [L, Y, d] f32   inputs of the layers' first feed-forward linear
  top_ids         [Y, 20] int32   the most probable next tokens (equal ones: lower id first),
  top_log_probs   [Y, 20] f32     nothing masked
  greedy_source_lengths, greedy_source_ids   200 further sources
  greedy_lengths, greedy_ids      greedy translations: forced tokens first, never pad or bad words,
                                  EOS not as the very first token; until EOS or 20 tokens
  greedy_gaps     f32             of each greedy id, the distance of its log-prob to the
                                  runner-up's; 1e9 if it was forced

beam.json: {"sources", "forced", "cases": [{"beam", "length_penalty", "nbest", "max_length_a",
"max_length_b", "results": [[{"tokens", "score"} best first] for each source]}]}, made by
plain_beam.py. Sources with a close call, which fp32 might decide otherwise, are left out.
"""
import json
from dataclasses import dataclass, field
from typing import Callable

import torch
from safetensors.torch import save_file

import plain_beam

SENTENCES, WORDS, BEST = 24, 20, 20
GREEDY_SENTENCES, GREEDY_LONGEST = 200, 20
BEAM_SENTENCES, BEAM_WORDS, SMALLEST_GAP = 32, 12, 3e-5
# (beam, nbest, max_length_a, max_length_b)
SEARCHES = [(1, 1, 0.0, 25), (4, 1, 1.0, 10), (5, 1, 0.0, 25), (5, 5, 0.0, 25)]
LENGTH_PENALTIES = [1.0, 0.6]


@dataclass
class Framework:
    """A model in its framework, and how its sentences look.

    encode(source): the encoder's output [n, d]. decode(encoded, prefixes): for equally long lists
    of decoder input ids [B, n], outputs of the layers and inputs of their first feed-forward
    linear [B, L, n, d], and log-probs [B, n, V]; all float64.
    """
    encode: Callable
    decode: Callable
    start: int
    eos: int
    never: list  # pad and bad words
    source_words: range  # ids of ordinary tokens
    target_words: range
    prefix: list = field(default_factory=list)  # of every source
    suffix: list = field(default_factory=list)
    forced: list = field(default_factory=list)  # of every target, after the start token

    def next_log_probs(self, encoded):
        def follow(prefixes):
            return self.decode(encoded, [[self.start] + ids for ids in prefixes])[2][:, -1]
        return follow


def sentence(words, most, rng):
    return [rng.choice(words) for _ in range(rng.randint(1, most))]


def framed(framework, ids):
    return framework.prefix + ids + framework.suffix


def teacher_forced(framework, rng):
    parts = []
    for _ in range(SENTENCES):
        source = framed(framework, sentence(framework.source_words, WORDS, rng))
        target = sentence(framework.target_words, WORDS, rng) + [framework.eos]
        encoded = framework.encode(source)
        given = [framework.start] + framework.forced + target[:-1]
        layers, inputs, scores = (x[0] for x in framework.decode(encoded, [given]))
        first = len(framework.forced)
        values, ids = scores[first:].sort(dim=-1, descending=True, stable=True)
        parts.append({"source_lengths": [len(source)], "source_ids": source,
                      "target_lengths": [len(target)], "target_ids": target,
                      "encoder_output": encoded, "decoder_layers": layers[:, first:],
                      "ffn_in": inputs[:, first:], "top_ids": ids[:, :BEST],
                      "top_log_probs": values[:, :BEST]})
    return parts


def greedy(framework, source):
    """(ids, gaps) of one source."""
    follow = framework.next_log_probs(framework.encode(source))
    ids, gaps = list(framework.forced), [1e9] * len(framework.forced)
    while len(ids) < GREEDY_LONGEST and ids[-1:] != [framework.eos]:
        row = follow([ids])[0].clone()
        row[framework.never] = -torch.inf
        if not ids:
            row[framework.eos] = -torch.inf
        best = row.topk(2)
        ids.append(int(best.indices[0]))
        gaps.append(float(best.values[0] - best.values[1]))
    return ids, gaps


def greedy_translations(framework, rng):
    parts = []
    for _ in range(GREEDY_SENTENCES):
        source = framed(framework, sentence(framework.source_words, WORDS, rng))
        ids, gaps = greedy(framework, source)
        parts.append({"greedy_source_lengths": [len(source)], "greedy_source_ids": source,
                      "greedy_lengths": [len(ids)], "greedy_ids": ids, "greedy_gaps": gaps})
    return parts


def joined(parts):
    out = {}
    for name in parts[0]:
        tensors = [torch.as_tensor(part[name]) for part in parts]
        tensor = torch.cat(tensors, 1 if tensors[0].dim() == 3 else 0)
        out[name] = (tensor.float() if tensor.is_floating_point() else tensor.int()).contiguous()
    return out


def searched(framework, source):
    """[results of each case], or None if a call was close."""
    follow, results, gaps = framework.next_log_probs(framework.encode(source)), [], []
    for beam, nbest, a, b in SEARCHES:
        done, gap = plain_beam.finished_hypotheses(follow, beam, int(a * len(source)) + b,
                                                   framework.eos, framework.never, framework.forced)
        rankings = [plain_beam.ranked(done, penalty) for penalty in LENGTH_PENALTIES]
        results += [ranking[:nbest] for ranking, _ in rankings]
        gaps += [gap] + [own for _, own in rankings]
    return results if min(gaps) >= SMALLEST_GAP else None


def beam_cases(framework, rng):
    sources, all_results = [], []
    while len(sources) < BEAM_SENTENCES:
        source = framed(framework, sentence(framework.source_words, BEAM_WORDS, rng))
        results = searched(framework, source)
        if results:
            sources.append(source)
            all_results.append(results)
    cases = [{"beam": beam, "length_penalty": penalty, "nbest": nbest, "max_length_a": a,
              "max_length_b": b}
             for beam, nbest, a, b in SEARCHES for penalty in LENGTH_PENALTIES]
    for number, case in enumerate(cases):
        case["results"] = [results[number] for results in all_results]
    return {"sources": sources, "forced": framework.forced, "cases": cases}


def write(framework, folder, rng):
    """expected.safetensors and beam.json in `folder`; returns the greedy ids of each sentence."""
    greedy_parts = greedy_translations(framework, rng)
    save_file(joined(teacher_forced(framework, rng)) | joined(greedy_parts),
              folder / "expected.safetensors")
    beams = beam_cases(framework, rng)
    cases = ",\n".join(json.dumps(case) for case in beams.pop("cases"))
    text = f'{json.dumps(beams)[:-1]}, "cases": [\n{cases}\n]}}\n'
    (folder / "beam.json").write_text(text, encoding="utf-8")
    return greedy_parts
