"""The convergence of gradient descent: curvature, limits of the rate, forecasts, the choice of rate and momentum."""
