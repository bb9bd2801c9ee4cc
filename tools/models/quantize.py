"""Builds a dynamically quantised model from one whose weights alone are stored in 8 bits.

usage: quantize.py SOURCE DESTINATION

The source keeps its weights as 8-bit integers and widens them (Cast, then Mul by a scale) before computing in 32-bit
floats. Those pairs are folded into plain float weights; the plain model is then quantised so that its matrix products
are computed in integers (MatMulInteger). The result is compared with the source on a few sentences and is written only
if its embeddings point the same way.
"""

import logging
import sys
import tempfile
from pathlib import Path

import numpy
import onnx
import onnxruntime
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

# Token numbers of all-MiniLM-L6-v2 for sentences of various lengths, with [CLS] and [SEP].
SENTENCES = {
    "What is the capital of France?": [101, 2054, 2003, 1996, 3007, 1997, 2605, 1029, 102],
    "Hello": [101, 7592, 102],
    "The river rose above the weir after three days of rain, and the mill stood still.": [101, 1996, 2314, 3123, 2682, 1996, 16658, 2044, 2093, 2420, 1997, 4542, 1010, 1998, 1996, 4971, 2768, 2145, 1012, 102],
    "How do I reset my password?": [101, 2129, 2079, 1045, 25141, 2026, 20786, 1029, 102],
    "Token buckets refill at a steady rate; a burst may empty them, and the next caller has to wait until enough has flowed back in.": [101, 19204, 13610, 2015, 25416, 8591, 2012, 1037, 6706, 3446, 1025, 1037, 6532, 2089, 4064, 2068, 1010, 1998, 1996, 2279, 20587, 2038, 2000, 3524, 2127, 2438, 2038, 13230, 2067, 1999, 1012, 102],
    "Gradient descent converges slowly on badly conditioned problems.": [101, 17978, 6934, 28314, 2015, 3254, 2006, 6649, 22442, 3471, 1012, 102],
}

# Below this cosine of an embedding and its original the quantised model is refused.
LEAST_COSINE = 0.95


def fold_widened_weights(model):
    """Replaces each Cast and Mul over constants by the float weight that they compute, exactly as float32 does."""
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    casts, folded = {}, []
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in constants:
            casts[node.output[0]] = node
        elif node.op_type == "Mul" and node.input[0] in casts and node.input[1] in constants:
            cast = casts[node.input[0]]
            narrow = numpy_helper.to_array(constants[cast.input[0]])
            scale = numpy_helper.to_array(constants[node.input[1]])
            weight = narrow.astype(numpy.float32) * scale.astype(numpy.float32)
            graph.initializer.append(numpy_helper.from_array(weight, node.output[0]))
            folded += [(cast, node)]
    if not folded:
        sys.exit("quantize.py: the source has no widened 8-bit weights; is it the model that tools/models.sh names?")
    for cast, mul in folded:
        graph.node.remove(cast)
        graph.node.remove(mul)
        for name in (cast.input[0], mul.input[1]):
            if name in constants:
                graph.initializer.remove(constants.pop(name))
    onnx.checker.check_model(model)


def embeddings(model_path):
    """Runs each sentence alone and returns its mean-pooled, normalised embedding."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model_path), options, providers=["CPUExecutionProvider"])
    result = []
    for tokens in SENTENCES.values():
        ids = numpy.array([tokens], dtype=numpy.int64)
        inputs = {"input_ids": ids, "attention_mask": numpy.ones_like(ids), "token_type_ids": numpy.zeros_like(ids)}
        pooled = session.run(["last_hidden_state"], inputs)[0][0].mean(axis=0)
        result.append(pooled / numpy.linalg.norm(pooled))
    return result


def check(source, quantised):
    """Ends the program unless the quantised model computes in integers and agrees with its source."""
    operators = [node.op_type for node in onnx.load(quantised).graph.node]
    integer = operators.count("MatMulInteger")
    if integer == 0:
        sys.exit("quantize.py: the quantised model has no MatMulInteger")
    least = min(float(a @ b) for a, b in zip(embeddings(source), embeddings(quantised)))
    if not least > LEAST_COSINE:
        sys.exit(f"quantize.py: the least cosine to the source is {least:.4f}, but {LEAST_COSINE} is asked for")
    print(f"{integer} matrix products in integers, least cosine to the source {least:.4f}", file=sys.stderr)


def main(source, destination):
    with tempfile.TemporaryDirectory(dir=Path(destination).parent) as work:
        plain, quantised = Path(work, "plain.onnx"), Path(work, "quantised.onnx")
        model = onnx.load(source)
        fold_widened_weights(model)
        onnx.save(model, plain)
        logging.disable(logging.WARNING)  # it advises a preparation that this graph does not need
        # reduce_range: 7-bit weights, so that products do not saturate on processors without integer dot products and
        # every machine computes the same.
        quantize_dynamic(plain, quantised, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)
        check(source, quantised)
        quantised.replace(destination)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
