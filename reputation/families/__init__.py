"""The families of evidence. For each, a function returns log-odds, within limits, and the counts behind them."""
