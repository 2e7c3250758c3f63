"""Results as files: JSON, JSON Lines, CSV and Excel, streamed in constant memory."""
