"""What measures the product from outside: the server as a process, stand-ins on loopback, stages of cancels."""
