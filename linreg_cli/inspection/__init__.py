"""What is known before training (`linreg inspect`), and gradient steps shown by hand (`linreg explain`)."""
