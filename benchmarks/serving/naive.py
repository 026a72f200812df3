"""The naive design: Flask, and a scikit-learn pipeline out of a pickle, `MODEL`; gunicorn runs it."""

import os
import pickle

import pandas as pd
from flask import Flask, Response, jsonify, request

app = Flask(__name__)
with open(os.environ["MODEL"], "rb") as file:
    model = pickle.load(file)  # noqa: S301 - the benchmark wrote it itself


@app.post("/predict")
def predict() -> Response:
    """Class probabilities of records."""
    return jsonify(model.predict_proba(pd.DataFrame(request.get_json())).tolist())
