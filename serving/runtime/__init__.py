"""ONNX Runtime by its C interface.

Its Python interface takes as long to check and copy the 19 inputs of one row as their graph takes to be run, and holds
the interpreter's lock meanwhile.
"""
