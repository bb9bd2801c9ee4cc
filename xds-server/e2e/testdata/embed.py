"""Run a sentence encoder with ONNX Runtime and nothing else.

Standard input: {"model": path, "ids": [[token, ...], ...]}. Standard output: one normalised mean of the token vectors for
each list of tokens.
"""
import json
import sys

import numpy
import onnxruntime

request = json.load(sys.stdin)
session = onnxruntime.InferenceSession(request["model"], providers=["CPUExecutionProvider"])
vectors = []
for ids in request["ids"]:
    tokens = numpy.array([ids], dtype=numpy.int64)
    hidden = session.run(["last_hidden_state"], {
        "input_ids": tokens,
        "attention_mask": numpy.ones_like(tokens),
        "token_type_ids": numpy.zeros_like(tokens),
    })[0]
    mean = hidden[0].mean(axis=0)
    vectors.append((mean / numpy.linalg.norm(mean)).tolist())
json.dump(vectors, sys.stdout)
