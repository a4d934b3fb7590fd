"""Trains the networks of this folder once; the build and the tests never run it. See README.md.

    python3 train.py TRAIN.bin TEST.bin OUTPUT_DIR

A small MobileNetV2 (Sandler et al. 2018) with ReLU on 32 x 32 pictures, trained with batch normalization, which is then folded. Three files:

float.pb       The folded network. The channels inside each block are scaled by powers of two, and the next layer's weights by the inverse: the
               function is the same, and the ranges of channels differ as they do in published MobileNets.
qat.pb         Trained on with FakeQuant on the input, all weights and all activations, one range a tensor.
partly_qat.pb  The same without the FakeQuants on the sums of residual branches and what follows the last of them.
"""

import sys

import numpy as np
import tensorflow as tf

CLASSES = 8
SEED = 20
# Expansion, output channels, stride.
BLOCKS = [(1, 16, 1), (4, 24, 2), (4, 24, 1), (4, 32, 2), (4, 32, 1)]


def layers():
    """(name, kind, kernel, input channels, output channels, stride, has ReLU) in order; kind is conv or depthwise."""
    rows = [("stem", "conv", 3, 3, 16, 2, True)]
    channels = 16
    for i, (expansion, output, stride) in enumerate(BLOCKS):
        inner = channels * expansion
        if expansion > 1:
            rows.append(("block%d/expand" % i, "conv", 1, channels, inner, 1, True))
        rows.append(("block%d/depthwise" % i, "depthwise", 3, inner, inner, stride, True))
        rows.append(("block%d/project" % i, "conv", 1, inner, output, 1, False))
        channels = output
    rows.append(("head", "conv", 1, channels, 64, 1, True))
    return rows


def apply(weights, images, normalize, quantize):
    """The network. `normalize(name, x)` is batch normalization or the bias; `quantize(name, x)` rounds activations."""
    x = quantize("input", images)
    skip = x
    for name, kind, _, _, _, stride, relu in layers():
        if name.endswith("expand"):
            skip = x
        w = weights(name)
        if kind == "depthwise":
            x = tf.nn.depthwise_conv2d(x, w, [1, stride, stride, 1], "SAME", name=name + "/conv")
        else:
            x = tf.nn.conv2d(x, w, stride, "SAME", name=name + "/conv")
        x = normalize(name, x)
        if relu:
            x = tf.nn.relu(x, name=name + "/relu")
        x = quantize(name, x)
        if name.endswith("project") and is_residual(name):
            x = quantize(name + "/add", tf.add(x, skip, name=name + "/add"))
    x = quantize("pool", tf.reduce_mean(x, [1, 2], name="pool"))
    x = normalize("logits", tf.matmul(x, weights("logits"), name="logits/matmul"))
    return quantize("logits", x)


def is_residual(name):
    i = int(name[len("block"):name.index("/")])
    return i > 0 and BLOCKS[i][2] == 1 and BLOCKS[i - 1][1] == BLOCKS[i][1]


def accuracy(predict, images, labels):
    right = 0
    for at in range(0, len(images), 500):
        right += int(np.sum(np.argmax(predict(images[at:at + 500]), 1) == labels[at:at + 500]))
    return 100.0 * right / len(images)


def minimize(variables, loss_of, images, labels, epochs, rate, rng):
    """Adam (Kingma & Ba 2015) with a cosine schedule."""
    first = [tf.Variable(tf.zeros_like(v)) for v in variables]
    second = [tf.Variable(tf.zeros_like(v)) for v in variables]
    batch = 64
    steps = epochs * (len(images) // batch)

    @tf.function
    def step(x, y, count, rate_now):
        with tf.GradientTape() as tape:
            loss = loss_of(x, y)
        for v, m, s, g in zip(variables, first, second, tape.gradient(loss, variables)):
            m.assign(0.9 * m + 0.1 * g)
            s.assign(0.999 * s + 0.001 * g * g)
            v.assign_sub(rate_now * (m / (1 - 0.9 ** count)) / (tf.sqrt(s / (1 - 0.999 ** count)) + 1e-7))
        return loss

    count = 0
    for epoch in range(epochs):
        order = rng.permutation(len(images))
        total = 0.0
        for at in range(0, len(images) - batch + 1, batch):
            pick = order[at:at + batch]
            count += 1
            rate_now = rate * 0.5 * (1 + np.cos(np.pi * count / steps))
            total += float(step(images[pick], labels[pick], tf.constant(float(count)), tf.constant(rate_now, tf.float32)))
        print("epoch %d: loss %.4f" % (epoch, total / (len(images) // batch)), flush=True)


def train_float(images, labels, test, rng):
    weights, gamma, beta, mean, variance = {}, {}, {}, {}, {}
    for name, kind, k, c, o, _, _ in layers():
        shape = [k, k, c, 1] if kind == "depthwise" else [k, k, c, o]
        fan = k * k if kind == "depthwise" else k * k * c
        weights[name] = tf.Variable(rng.normal(0, np.sqrt(2 / fan), shape).astype(np.float32))
        gamma[name], beta[name] = tf.Variable(tf.ones([o])), tf.Variable(tf.zeros([o]))
        mean[name], variance[name] = tf.Variable(tf.zeros([o]), trainable=False), tf.Variable(tf.ones([o]), trainable=False)
    weights["logits"] = tf.Variable(rng.normal(0, 0.1, [64, CLASSES]).astype(np.float32))
    beta["logits"] = tf.Variable(tf.zeros([CLASSES]))

    def normalizer(training):
        def normalize(name, x):
            if name == "logits":
                return x + beta[name]
            m, v = mean[name], variance[name]
            if training:
                m, v = tf.nn.moments(x, [0, 1, 2])
                mean[name].assign(0.95 * mean[name] + 0.05 * m)
                variance[name].assign(0.95 * variance[name] + 0.05 * v)
            return tf.nn.batch_normalization(x, m, v, beta[name], gamma[name], 1e-3)
        return normalize

    keep = lambda name, x: x
    variables = list(weights.values()) + list(gamma.values()) + list(beta.values())

    def loss_of(x, y):
        logits = apply(weights.__getitem__, x, normalizer(True), keep)
        decay = tf.add_n([tf.reduce_sum(w * w) for w in weights.values()])
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)) + 2e-5 * decay

    minimize(variables, loss_of, images, labels, 10, 4e-3, rng)
    predict = tf.function(lambda x: apply(weights.__getitem__, x, normalizer(False), keep))
    print("float: %.2f %%" % accuracy(predict, *test), flush=True)

    folded, bias = {}, {}
    for name, kind, _, _, _, _, _ in layers():
        scale = gamma[name].numpy() / np.sqrt(variance[name].numpy() + 1e-3)
        folded[name] = weights[name].numpy() * (scale[None, None, :, None] if kind == "depthwise" else scale)
        bias[name] = beta[name].numpy() - mean[name].numpy() * scale
    folded["logits"], bias["logits"] = weights["logits"].numpy(), beta["logits"].numpy()
    return folded, bias


def unbalance(weights, bias, most=2):
    """Scales each channel that a depthwise layer reads by up to 2^most or down to 2^-most, and what it writes by the inverse."""
    rng = np.random.default_rng(SEED)
    w, b = {n: v.copy() for n, v in weights.items()}, {n: v.copy() for n, v in bias.items()}
    rows = [row[0] for row in layers()]
    for before, name, after in zip(rows, rows[1:], rows[2:]):
        if not name.endswith("depthwise"):
            continue
        s = (2.0 ** rng.integers(-most, most + 1, len(b[name]))).astype(np.float32)
        w[before], b[before] = w[before] * s, b[before] * s
        w[name], b[name] = w[name] / (s * s)[None, None, :, None], b[name] / s
        w[after] = w[after] * s[None, None, :, None]
    return w, b


def train_quantized(weights, bias, images, labels, test, rng):
    w = {n: tf.Variable(v) for n, v in weights.items()}
    b = {n: tf.Variable(v) for n, v in bias.items()}
    seen = {}

    def observe(name, x):
        seen[name] = (min(0.0, float(tf.reduce_min(x))), max(0.0, float(tf.reduce_max(x))))
        return x

    add_bias = lambda name, x: x + b[name]
    apply(w.__getitem__, images[:500], add_bias, observe)
    ranges = {n: (tf.Variable(lo), tf.Variable(hi)) for n, (lo, hi) in seen.items()}

    def rounded(name):
        v = w[name]
        lo, hi = tf.minimum(tf.reduce_min(v), 0.0), tf.maximum(tf.reduce_max(v), 0.0)
        return tf.quantization.fake_quant_with_min_max_vars(v, tf.stop_gradient(lo), tf.stop_gradient(hi), 8, True)

    quantize = lambda name, x: tf.quantization.fake_quant_with_min_max_vars(x, *ranges[name])
    run = lambda x: apply(rounded, x, add_bias, quantize)
    predict = tf.function(run)
    print("rounded, before training: %.2f %%" % accuracy(predict, *test), flush=True)
    variables = list(w.values()) + list(b.values()) + [v for pair in ranges.values() for v in pair]
    loss_of = lambda x, y: tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=run(x)))
    minimize(variables, loss_of, images, labels, 3, 2e-4, rng)
    print("quantized: %.2f %%" % accuracy(predict, *test), flush=True)
    bounds = {n: (float(lo), float(hi)) for n, (lo, hi) in ranges.items()}
    return {n: v.numpy() for n, v in w.items()}, {n: v.numpy() for n, v in b.items()}, bounds


def write(file, weights, bias, ranges):
    """A frozen GraphDef; `ranges` is a dict, empty for the float network, of what gets a FakeQuant."""
    graph = tf.Graph()
    with graph.as_default():
        def weights_of(name):
            v = tf.constant(weights[name], name=name + "/weights")
            if not ranges:
                return v
            lo, hi = min(0.0, float(weights[name].min())), max(0.0, float(weights[name].max()))
            return tf.quantization.fake_quant_with_min_max_args(v, lo, hi, 8, True, name=name + "/weights_quant")

        def quantize(name, x):
            if name not in ranges:
                return x
            return tf.quantization.fake_quant_with_min_max_args(x, *ranges[name], name=name + "/act_quant")

        images = tf.compat.v1.placeholder(tf.float32, [1, 32, 32, 3], "input")
        x = apply(weights_of, images, lambda n, v: tf.nn.bias_add(v, bias[n], name=n + "/bias_add"), quantize)
        tf.nn.softmax(x, name="probabilities")
    definition = graph.as_graph_def()
    definition.versions.Clear()
    with open(file, "wb") as out:
        out.write(definition.SerializeToString(deterministic=True))


def load(file):
    rows = np.fromfile(file, np.uint8).reshape(-1, 1 + 32 * 32 * 3)
    return (rows[:, 1:].reshape(-1, 32, 32, 3).astype(np.float32) - 127.5) / 127.5, rows[:, 0].astype(np.int32)


def main(train_file, test_file, folder):
    tf.random.set_seed(SEED)
    rng = np.random.default_rng(SEED)
    (images, labels), test = load(train_file), load(test_file)
    weights, bias = train_float(images, labels, test, rng)
    write(folder + "/float.pb", *unbalance(weights, bias), {})
    weights, bias, ranges = train_quantized(weights, bias, images, labels, test, rng)
    write(folder + "/qat.pb", weights, bias, ranges)
    partly = {n: r for n, r in ranges.items() if not n.endswith("/add") and n not in ("head", "pool", "logits")}
    write(folder + "/partly_qat.pb", weights, bias, partly)


if __name__ == "__main__":
    main(*sys.argv[1:])
