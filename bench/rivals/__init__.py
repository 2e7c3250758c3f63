"""Other task queues, put through the same work as the product (`python -m bench peers`)."""
