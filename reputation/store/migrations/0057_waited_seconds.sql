-- Seconds that a call spent neither ringing nor talking: its end is then known (menus, queues, voicemail).
ALTER TABLE outcome ADD COLUMN waited_seconds REAL NOT NULL DEFAULT 0;
