"""Model catalogue, the guarded model call, and the embedded Bedrock endpoint."""
