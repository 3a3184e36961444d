"""Makes the Python and the TypeScript client from the merged OpenAPI document."""
