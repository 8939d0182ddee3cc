"""How changes are read from DynamoDB: scan, pending index, stream."""
