"""The way of a change from DynamoDB to its row and back as a link."""
