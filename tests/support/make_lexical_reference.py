#!/usr/bin/env python3
"""Write tests/data/lexical.json: how rank_bm25 and scikit-learn score sentences by their words.

{"packages", "vocabulary", "sentences": [[token …] …], "queries": [[token …] …],
 "bm25": [[score of each sentence] of each query], "tfidf": likewise}. Tokens are numbers; sentences
are of skewed word frequencies, some words stand in most of them (so that BM25's idf is negative), some
sentences are equal or share nothing with a query, and queries repeat words and have unknown ones.
BM25 is BM25Okapi with its defaults, TF-IDF the cosine of TfidfVectorizer's vectors with its defaults.

Needs the packages of scripts/requirements-dev.txt.
"""
import importlib.metadata
import json
import random
from pathlib import Path

from rank_bm25 import BM25Okapi
from sklearn.feature_extraction.text import TfidfVectorizer

ROOT = Path(__file__).resolve().parents[2]
VOCABULARY, SENTENCES, QUERIES = 60, 70, 12


def sentence(rng, least, most):
    words = [min(int(rng.expovariate(0.12)), VOCABULARY - 3) for _ in range(rng.randint(least, most))]
    return ([1] if rng.random() < 0.8 else []) + words  # word 1 stands in most sentences


def main():
    rng = random.Random(1)
    sentences = [sentence(rng, 1, 14) for _ in range(SENTENCES)]
    sentences += [sentences[3], sentences[3], [5], [5, 5, 5]]
    queries = [sentence(rng, 2, 9) for _ in range(QUERIES)]
    queries += [[VOCABULARY - 1], queries[0] + [VOCABULARY - 2, VOCABULARY - 1], [7, 7, 7, 1, 7]]
    bm25 = BM25Okapi(sentences)
    vectorizer = TfidfVectorizer(analyzer=lambda words: words)
    vectors = vectorizer.fit_transform(sentences)
    tfidf = (vectorizer.transform(queries) @ vectors.T).toarray()
    made = {
        "packages": {name: importlib.metadata.version(name) for name in ("rank_bm25", "scikit-learn")},
        "vocabulary": VOCABULARY,
        "sentences": sentences,
        "queries": queries,
        "bm25": [[round(float(x), 9) for x in bm25.get_scores(query)] for query in queries],
        "tfidf": [[round(float(x), 9) for x in row] for row in tfidf],
    }
    path = ROOT / "tests" / "data" / "lexical.json"
    path.write_text(json.dumps(made) + "\n", encoding="utf-8")
    print(f"{path}: {len(sentences)} sentences, {len(queries)} queries; lowest idf "
          f"{min(bm25.idf.values()):.3f}, mean {bm25.average_idf:.3f}")


if __name__ == "__main__":
    main()
