CREATE TABLE staged (
	terminal_id VARCHAR(8) NOT NULL,
	mid BLOB NOT NULL,
	batch INTEGER NOT NULL,
	stan INTEGER NOT NULL,
	sequence INTEGER NOT NULL,
	content BLOB NOT NULL,
	evidence BLOB NOT NULL,
	tx BLOB NOT NULL,
	cid BLOB NOT NULL,
	otc INTEGER NOT NULL,
	amount_minor INTEGER NOT NULL,
	kv INTEGER NOT NULL,
	alg INTEGER NOT NULL,
	balance_after_minor INTEGER NOT NULL,
	cumulative_debit_minor INTEGER NOT NULL,
	tac BLOB NOT NULL,
	details VARCHAR,
	tac_verified BOOLEAN NOT NULL,
	received_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, mid, batch, stan),
	FOREIGN KEY(terminal_id, mid, batch) REFERENCES batch (terminal_id, mid, batch),
	CONSTRAINT mid_is_8_bytes CHECK (length(mid) = 8),
	CONSTRAINT content_is_32_bytes CHECK (length(content) = 32),
	CONSTRAINT evidence_is_32_bytes CHECK (length(evidence) = 32),
	CONSTRAINT tx_is_47_bytes CHECK (length(tx) = 47),
	CONSTRAINT cid_is_8_bytes CHECK (length(cid) = 8),
	CONSTRAINT tac_is_8_bytes CHECK (length(tac) = 8)
)

CREATE TABLE staged_batch (
	terminal_id VARCHAR(8) NOT NULL,
	mid BLOB NOT NULL,
	batch INTEGER NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, mid, batch),
	FOREIGN KEY(terminal_id, mid, batch) REFERENCES batch (terminal_id, mid, batch),
	CONSTRAINT mid_is_8_bytes CHECK (length(mid) = 8)
)

CREATE TRIGGER staged_no_update BEFORE UPDATE ON staged
BEGIN
  SELECT RAISE(ABORT, 'staged is append-only: correct it with a further row');
END

CREATE TRIGGER staged_batch_no_update BEFORE UPDATE ON staged_batch
BEGIN
  SELECT RAISE(ABORT, 'staged_batch is append-only: correct it with a further row');
END

CREATE TRIGGER staged_no_delete BEFORE DELETE ON staged
BEGIN
  SELECT RAISE(ABORT, 'staged is append-only: correct it with a further row');
END

CREATE TRIGGER staged_batch_no_delete BEFORE DELETE ON staged_batch
BEGIN
  SELECT RAISE(ABORT, 'staged_batch is append-only: correct it with a further row');
END

CREATE TRIGGER staged_no_replace BEFORE INSERT ON staged WHEN EXISTS (SELECT 1 FROM staged WHERE terminal_id = NEW.terminal_id AND mid = NEW.mid AND batch = NEW.batch AND stan = NEW.stan)
BEGIN
  SELECT RAISE(ABORT, 'staged is append-only: this key is taken');
END

CREATE TRIGGER staged_batch_no_replace BEFORE INSERT ON staged_batch WHEN EXISTS (SELECT 1 FROM staged_batch WHERE terminal_id = NEW.terminal_id AND mid = NEW.mid AND batch = NEW.batch)
BEGIN
  SELECT RAISE(ABORT, 'staged_batch is append-only: this key is taken');
END
