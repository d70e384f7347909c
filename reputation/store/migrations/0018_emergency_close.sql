-- When somebody ended the window after an emergency call: those of until then open it no more. Only the latest counts.
CREATE TABLE emergency_close (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  at REAL NOT NULL
) STRICT;
