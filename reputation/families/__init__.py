"""The families of evidence, one pure function each: bounded log-odds, and the counts behind them."""
