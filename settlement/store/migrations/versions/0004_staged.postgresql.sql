CREATE TABLE staged (
	terminal_id VARCHAR(8) NOT NULL,
	mid BYTEA NOT NULL,
	batch BIGINT NOT NULL,
	stan BIGINT NOT NULL,
	sequence BIGINT NOT NULL,
	content BYTEA NOT NULL,
	evidence BYTEA NOT NULL,
	tx BYTEA NOT NULL,
	cid BYTEA NOT NULL,
	otc BIGINT NOT NULL,
	amount_minor BIGINT NOT NULL,
	kv BIGINT NOT NULL,
	alg BIGINT NOT NULL,
	balance_after_minor BIGINT NOT NULL,
	cumulative_debit_minor BIGINT NOT NULL,
	tac BYTEA NOT NULL,
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
	mid BYTEA NOT NULL,
	batch BIGINT NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, mid, batch),
	FOREIGN KEY(terminal_id, mid, batch) REFERENCES batch (terminal_id, mid, batch),
	CONSTRAINT mid_is_8_bytes CHECK (length(mid) = 8)
)

CREATE TRIGGER staged_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON staged
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE staged ENABLE ALWAYS TRIGGER staged_append_only

CREATE TRIGGER staged_batch_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON staged_batch
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE staged_batch ENABLE ALWAYS TRIGGER staged_batch_append_only
