"""A Keras network behind MLflow as a user would log it; this file is the model's code."""

from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Perceptron(PythonModel):
    """Preprocessing by scikit-learn, then the network, asked as MLflow's own Keras flavour asks it."""

    def load_context(self, context: Any) -> None:
        """Open the preprocessing and the network."""
        import keras
        import skops.io

        self.features = skops.io.load(context.artifacts["features"], trusted=["numpy.dtype"])
        self.network = keras.saving.load_model(context.artifacts["network"])

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> np.ndarray:
        """Class probabilities, shape (rows, classes)."""
        return self.network.predict(self.features.transform(model_input), verbose=0)


set_model(Perceptron())
