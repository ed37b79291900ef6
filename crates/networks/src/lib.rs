//! Networks as graphs of named operators, and everything that is done with one: loading weights, reading ONNX, shapes,
//! profile, running with candle, training.
