"""DynamoDB's typed values to Python values and rows, and back."""
