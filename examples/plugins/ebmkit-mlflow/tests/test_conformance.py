from ebmkit.testing import conformance

test_conforms = conformance("ebmkit-mlflow")
