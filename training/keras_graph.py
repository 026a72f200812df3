"""A Keras network as an ONNX graph."""

from typing import Any

from training.onnx_graph import OPSET


def convert(network: Any) -> Any:
    """The network of one input and one output, converted by tf2onnx; the batch size stays open."""
    import tensorflow
    import tf2onnx

    shape, dtype = network.inputs[0].shape, network.inputs[0].dtype
    signature = [tensorflow.TensorSpec((None, *shape[1:]), dtype, name="features")]
    function = tensorflow.function(lambda features: network(features, training=False), input_signature=signature)
    model, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET[""])
    return model
