"""The policies of kNN decoding in NumPy: what each makes of a query's neighbours.

A network is a dict of arrays by name, as in the .safetensors file that `knnseq tune` writes, without the
policy's name before them. A query's neighbours are distances [K] (ascending; inf: missing) and tokens [K];
log_probs [V] is the model's own distribution, query [d] its vector. Each policy gives (lambda, shares [K]):
p = (1 - lambda) p_mt + lambda * (shares summed by token). A query without neighbours keeps p_mt.
"""
import numpy as np


def softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def shares_of(distances, temperature):
    usable = np.isfinite(distances)
    shares = np.zeros(len(distances))
    if usable.any():
        shares[usable] = softmax(-distances[usable] / temperature)
    return shares


def fixed(distances, temperature, lam):
    return lam, shares_of(distances, temperature)


def distance(distances, temperature, tau):
    return np.clip(1 - distances[0] / tau, 0, 0.999), shares_of(distances, temperature)


def neighbour_features(network, distances, tokens):
    """(z, c): standardised distances, and distinct tokens among the first i neighbours / K."""
    usable = np.isfinite(distances)
    mean, deviation = network["distances"]
    z = np.where(usable, np.clip((np.where(usable, distances, 0) - mean) / deviation, -8, 8), 8)
    distinct, seen = [], set()
    for token, counts in zip(tokens, usable):
        if counts:
            seen.add(int(token))
        distinct.append(len(seen))
    return z, np.array(distinct) / len(tokens)


def scaled_logarithm(log_probs):
    return np.clip(log_probs / 5, -4, 0)


def hidden_layer(network, prefix, features):
    return np.tanh(features @ network[prefix + "hidden.weight"].T + network[prefix + "hidden.bias"])


def best_two(log_probs):
    return scaled_logarithm(np.sort(log_probs)[::-1][:2])


def normalised(query):
    return (query - query.mean()) / np.sqrt(query.var() + 1e-5)


def meta_k(network, distances, tokens):
    """Adaptive kNN-MT (Zheng et al., ACL 2021)."""
    hidden = hidden_layer(network, "", np.concatenate(neighbour_features(network, distances, tokens)))
    weights = softmax(hidden @ network["output.weight"].T + network["output.bias"])
    choices = [2 ** i for i in range(len(weights) - 2)] + [len(distances)]
    temperature = np.exp(network["log_temperature"][0])
    p_knn = np.zeros(len(distances))
    for k, weight in zip(choices, weights[1:]):
        p_knn[:k] += weight * shares_of(distances[:k], temperature)
    return min(weights[1:].sum(), 0.999), p_knn / max(p_knn.sum(), 1e-30)


def robust(network, distances, tokens, log_probs, query):
    """After Robust kNN-MT (Jiang et al., EMNLP 2022)."""
    usable = np.isfinite(distances)
    z, distinct = neighbour_features(network, distances, tokens)
    confidence = np.where(usable, scaled_logarithm(log_probs[tokens]), -4)
    best = best_two(log_probs)
    hidden = hidden_layer(network, "", np.concatenate([z, distinct, confidence, best]))
    output = hidden @ network["output.weight"].T + network["output.bias"]
    lam = sigmoid(output[0] + network["query.weight"][0] @ normalised(query))
    temperature = np.exp(network["log_temperature"][0] + np.clip(output[1], -3, 3))
    each = np.stack([z, confidence, *np.broadcast_to(best[:, None], (2, len(z)))], axis=1)
    correction = hidden_layer(network, "neighbour.", each) @ network["neighbour.output.weight"][0]
    shares = np.zeros(len(distances))
    if usable.any():
        shares[usable] = softmax(-distances[usable] / temperature + correction[usable])
    return min(lam, 0.999), shares


def worth(network, log_probs, query):
    """The gate's probability that a search is worth it."""
    hidden = hidden_layer(network, "", best_two(log_probs))
    logit = network["query.weight"][0] @ normalised(query)
    return sigmoid(logit + network["output.weight"][0] @ hidden + network["output.bias"][0])
