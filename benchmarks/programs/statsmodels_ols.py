"""statsmodels' OLS, the exact answer with its inference. Arguments: CSV, model."""

import sys

import pandas as pd
import statsmodels.api as sm

frame = pd.read_csv(sys.argv[1])
fitted = sm.OLS(frame["y"], sm.add_constant(frame.drop(columns="y"))).fit()
fitted.save(sys.argv[2], remove_data=True)
