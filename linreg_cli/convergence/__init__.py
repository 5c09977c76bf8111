"""What descent will do: curvature, limits of the rate, forecasts, and the choice of rate and momentum."""
