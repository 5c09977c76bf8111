"""scikit-learn's SGDRegressor. Arguments: CSV, model, epochs, rate."""

import sys

import joblib
import pandas as pd
from sklearn.linear_model import SGDRegressor

table, model_file, epochs, rate = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
frame = pd.read_csv(table)
X, y = frame.drop(columns="y").to_numpy(), frame["y"].to_numpy()
# Its gradient is half that of the mean squared error.
model = SGDRegressor(alpha=0.0, learning_rate="constant", eta0=2 * rate, tol=None, max_iter=epochs)
joblib.dump(model.fit(X, y), model_file)
