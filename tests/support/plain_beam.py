"""fairseq's beam search written slowly, straight from its rules: one sentence, full sorts.

`next_log_probs(prefixes)` gives the log-probs [len(prefixes), V] (float64) of what follows each
of the equally long prefixes (lists of ids without the decoder's start token).
"""
import torch


def finished_hypotheses(next_log_probs, beam, longest, eos, never, forced=()):
    """([(sum of log-probs, tokens)] in the order in which they finished, smallest gap).

    `longest`: EOS is forced after that many tokens. `never`: ids that are never chosen. `forced`:
    ids of the first tokens; a forced one has log-prob 0 and everything else none. `gap` is the
    smallest difference between neighbouring scores that decided something.
    """
    partials, done, gap = [(0.0, [])], [], float("inf")
    for step in range(longest + 1):
        rows = next_log_probs([tokens for _, tokens in partials]).clone()
        if step < len(forced):
            rows[:] = -torch.inf
            rows[:, forced[step]] = 0
        elif step == longest:
            kept = rows[:, eos].clone()
            rows[:] = -torch.inf
            rows[:, eos] = kept
        else:
            rows[:, never] = -torch.inf
            if step == 0:
                rows[:, eos] = -torch.inf
        best = rows.topk(min(2 * beam + 1, rows.shape[1]))
        extensions = sorted(
            (-(score + value), number, token)
            for number, (score, _) in enumerate(partials)
            for value, token in zip(best.values[number].tolist(), best.indices[number].tolist())
            if value > -torch.inf)
        gap = min([gap] + [b[0] - a[0] for a, b in zip(extensions[:2 * beam], extensions[1:])])
        following = []
        for rank, (negative, number, token) in enumerate(extensions[:2 * beam]):
            grown = (-negative, partials[number][1] + [token])
            if token != eos and len(following) < beam:
                following.append(grown)
            elif token == eos and rank < beam and len(done) < beam:
                done.append(grown)
        if len(done) == beam:
            break
        partials = following
    return done, gap


def ranked(done, length_penalty):
    """([{"tokens", "score"}] best first, smallest gap), score = sum / length^length_penalty."""
    scored = [(total / len(tokens) ** length_penalty, tokens) for total, tokens in done]
    scored.sort(key=lambda hypothesis: -hypothesis[0])
    gap = min((a[0] - b[0] for a, b in zip(scored, scored[1:])), default=float("inf"))
    return [{"tokens": tokens, "score": score} for score, tokens in scored], gap
