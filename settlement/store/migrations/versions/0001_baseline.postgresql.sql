CREATE TABLE batch (
	terminal_id VARCHAR(8) NOT NULL,
	mid BYTEA NOT NULL,
	batch BIGINT NOT NULL,
	office VARCHAR NOT NULL,
	currency BIGINT NOT NULL,
	count BIGINT NOT NULL,
	sum_minor BIGINT NOT NULL,
	open_count BIGINT NOT NULL,
	open_sum_minor BIGINT NOT NULL,
	chain BYTEA NOT NULL,
	mac BYTEA NOT NULL,
	opened_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, mid, batch),
	CONSTRAINT mid_is_8_bytes CHECK (length(mid) = 8),
	CONSTRAINT chain_is_16_bytes CHECK (length(chain) = 16),
	CONSTRAINT mac_is_16_bytes CHECK (length(mac) = 16)
)

CREATE INDEX batch_by_card ON batch (mid, batch)

CREATE TABLE terminal (
	terminal_id VARCHAR(8) NOT NULL,
	serial BIGINT NOT NULL,
	mid BYTEA NOT NULL,
	office VARCHAR NOT NULL,
	currency BIGINT NOT NULL,
	kv BIGINT NOT NULL,
	bound_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, serial),
	CONSTRAINT mid_is_8_bytes CHECK (length(mid) = 8)
)

CREATE INDEX terminal_by_mid ON terminal (mid)

CREATE TABLE hotlist (
	cid BYTEA NOT NULL,
	serial BIGINT NOT NULL,
	version BIGINT NOT NULL,
	listed BOOLEAN NOT NULL,
	reason VARCHAR NOT NULL,
	since VARCHAR(27) NOT NULL,
	PRIMARY KEY (cid, serial),
	CONSTRAINT cid_is_8_bytes CHECK (length(cid) = 8)
)

CREATE INDEX hotlist_by_version ON hotlist (version)

CREATE TABLE published (
	kind BIGINT NOT NULL,
	version BIGINT NOT NULL,
	key BYTEA NOT NULL,
	value BYTEA,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (kind, version, key),
	CONSTRAINT kind_known CHECK (kind IN (1, 3, 4))
)

CREATE TABLE incident (
	id BIGINT NOT NULL,
	fingerprint BYTEA NOT NULL,
	code VARCHAR NOT NULL,
	terminal_id VARCHAR NOT NULL,
	batch BIGINT,
	stan BIGINT,
	masked_card VARCHAR NOT NULL,
	amount_minor BIGINT,
	text VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (fingerprint),
	CONSTRAINT fingerprint_is_32_bytes CHECK (length(fingerprint) = 32)
)

CREATE TABLE account (
	id BIGINT NOT NULL,
	kind VARCHAR NOT NULL,
	owner VARCHAR NOT NULL,
	currency BIGINT NOT NULL,
	name VARCHAR NOT NULL,
	opened_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (kind, owner, currency)
)

CREATE TABLE entry (
	id BIGSERIAL NOT NULL,
	kind VARCHAR NOT NULL,
	subject VARCHAR NOT NULL,
	number BIGINT NOT NULL,
	cid BYTEA,
	currency BIGINT NOT NULL,
	amount_minor BIGINT NOT NULL,
	booked_at VARCHAR(27) NOT NULL,
	memo VARCHAR NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (kind, subject, number),
	CONSTRAINT amount_more_than_zero CHECK (amount_minor > 0),
	CONSTRAINT cid_is_8_bytes CHECK (length(cid) = 8)
)

CREATE TABLE certificate (
	terminal_id VARCHAR(8) NOT NULL,
	number BIGINT NOT NULL,
	serial BYTEA NOT NULL,
	not_before VARCHAR(27) NOT NULL,
	not_after VARCHAR(27) NOT NULL,
	issued_for VARCHAR NOT NULL,
	issued_by VARCHAR NOT NULL,
	issued_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, number),
	CONSTRAINT issued_for_known CHECK (issued_for IN ('admission', 'renewal', 'request')),
	UNIQUE (serial),
	CONSTRAINT serial_is_20_bytes CHECK (length(serial) = 20)
)

CREATE TABLE batch_collected (
	terminal_id VARCHAR(8) NOT NULL,
	mid BYTEA NOT NULL,
	batch BIGINT NOT NULL,
	ack_mac BYTEA NOT NULL,
	posted_count BIGINT NOT NULL,
	posted_minor BIGINT NOT NULL,
	suspended_count BIGINT NOT NULL,
	suspended_minor BIGINT NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, mid, batch),
	FOREIGN KEY(terminal_id, mid, batch) REFERENCES batch (terminal_id, mid, batch),
	CONSTRAINT mid_is_8_bytes CHECK (length(mid) = 8),
	CONSTRAINT ack_mac_is_16_bytes CHECK (length(ack_mac) = 16)
)

CREATE TABLE record (
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
	decision VARCHAR NOT NULL,
	reason VARCHAR NOT NULL,
	received_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, mid, batch, stan),
	FOREIGN KEY(terminal_id, mid, batch) REFERENCES batch (terminal_id, mid, batch),
	CONSTRAINT paid_on_the_tac CHECK (decision NOT IN ('posted', 'held') OR tac_verified),
	CONSTRAINT decision_known CHECK (decision IN ('posted', 'held', 'suspended', 'duplicate', 'conflict', 'refused')),
	CONSTRAINT mid_is_8_bytes CHECK (length(mid) = 8),
	CONSTRAINT content_is_32_bytes CHECK (length(content) = 32),
	CONSTRAINT evidence_is_32_bytes CHECK (length(evidence) = 32),
	CONSTRAINT tx_is_47_bytes CHECK (length(tx) = 47),
	CONSTRAINT cid_is_8_bytes CHECK (length(cid) = 8),
	CONSTRAINT tac_is_8_bytes CHECK (length(tac) = 8)
)

CREATE INDEX record_by_card ON record (cid, otc)

CREATE TABLE audit_head (
	terminal_id VARCHAR(8) NOT NULL,
	serial BIGINT NOT NULL,
	mid BYTEA NOT NULL,
	batch BIGINT NOT NULL,
	journal BYTEA NOT NULL,
	entries BIGINT NOT NULL,
	digest BYTEA NOT NULL,
	received_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, serial),
	UNIQUE (terminal_id, mid, batch, journal, entries, digest),
	FOREIGN KEY(terminal_id, mid, batch) REFERENCES batch (terminal_id, mid, batch),
	CONSTRAINT mid_is_8_bytes CHECK (length(mid) = 8),
	CONSTRAINT journal_is_8_bytes CHECK (length(journal) = 8),
	CONSTRAINT digest_is_32_bytes CHECK (length(digest) = 32)
)

CREATE TABLE purse (
	cid BYTEA NOT NULL,
	account_id BIGINT NOT NULL,
	holder VARCHAR NOT NULL,
	currency BIGINT NOT NULL,
	kv BIGINT NOT NULL,
	balance_limit_minor BIGINT NOT NULL,
	payment_limit_minor BIGINT NOT NULL,
	valid_from VARCHAR NOT NULL,
	expiry VARCHAR NOT NULL,
	issued_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (cid),
	FOREIGN KEY(account_id) REFERENCES account (id),
	CONSTRAINT cid_is_8_bytes CHECK (length(cid) = 8)
)

CREATE TABLE incident_closed (
	incident_id BIGINT NOT NULL,
	text VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (incident_id),
	FOREIGN KEY(incident_id) REFERENCES incident (id)
)

CREATE TABLE open_report (
	terminal_id VARCHAR(8) NOT NULL,
	mid BYTEA NOT NULL,
	batch BIGINT NOT NULL,
	tsn BIGINT NOT NULL,
	stan BIGINT NOT NULL,
	tx BYTEA NOT NULL,
	cid BYTEA NOT NULL,
	otc BIGINT NOT NULL,
	amount_minor BIGINT NOT NULL,
	kv BIGINT NOT NULL,
	rc BYTEA NOT NULL,
	details VARCHAR,
	received_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, mid, batch, tsn),
	FOREIGN KEY(terminal_id, mid, batch) REFERENCES batch (terminal_id, mid, batch),
	CONSTRAINT mid_is_8_bytes CHECK (length(mid) = 8),
	CONSTRAINT tx_is_47_bytes CHECK (length(tx) = 47),
	CONSTRAINT cid_is_8_bytes CHECK (length(cid) = 8),
	CONSTRAINT rc_is_8_bytes CHECK (length(rc) = 8)
)

CREATE TABLE leg (
	entry_id BIGINT NOT NULL,
	number BIGINT NOT NULL,
	account_id BIGINT NOT NULL,
	debit_minor BIGINT NOT NULL,
	credit_minor BIGINT NOT NULL,
	PRIMARY KEY (entry_id, number),
	CONSTRAINT debit_or_credit CHECK (debit_minor >= 0 AND credit_minor >= 0 AND (debit_minor = 0) <> (credit_minor = 0)),
	FOREIGN KEY(entry_id) REFERENCES entry (id) DEFERRABLE INITIALLY DEFERRED,
	FOREIGN KEY(account_id) REFERENCES account (id)
)

CREATE INDEX leg_by_account ON leg (account_id, entry_id, debit_minor, credit_minor)

CREATE TABLE statement (
	number BIGINT NOT NULL,
	account_id BIGINT NOT NULL,
	first_day VARCHAR NOT NULL,
	last_day VARCHAR NOT NULL,
	last_entry_id BIGINT NOT NULL,
	document VARCHAR NOT NULL,
	digest BYTEA NOT NULL,
	issued_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (number),
	UNIQUE (account_id, first_day, last_day, last_entry_id),
	FOREIGN KEY(account_id) REFERENCES account (id),
	CONSTRAINT digest_is_32_bytes CHECK (length(digest) = 32)
)

CREATE TABLE certificate_seen (
	terminal_id VARCHAR(8) NOT NULL,
	number BIGINT NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, number),
	FOREIGN KEY(terminal_id, number) REFERENCES certificate (terminal_id, number)
)

CREATE TABLE certificate_revoked (
	terminal_id VARCHAR(8) NOT NULL,
	number BIGINT NOT NULL,
	reason VARCHAR NOT NULL,
	revoked_by VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, number),
	FOREIGN KEY(terminal_id, number) REFERENCES certificate (terminal_id, number)
)

CREATE TABLE payment (
	cid BYTEA NOT NULL,
	otc BIGINT NOT NULL,
	mid BYTEA NOT NULL,
	tsn BIGINT NOT NULL,
	terminal_id VARCHAR NOT NULL,
	batch BIGINT NOT NULL,
	stan BIGINT NOT NULL,
	amount_minor BIGINT NOT NULL,
	currency BIGINT NOT NULL,
	balance_after_minor BIGINT NOT NULL,
	cumulative_debit_minor BIGINT NOT NULL,
	tac BYTEA NOT NULL,
	evidence BYTEA NOT NULL,
	paid_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (cid, otc),
	UNIQUE (mid, tsn),
	FOREIGN KEY(terminal_id, mid, batch, stan) REFERENCES record (terminal_id, mid, batch, stan),
	CONSTRAINT amount_more_than_zero CHECK (amount_minor > 0),
	FOREIGN KEY(cid) REFERENCES purse (cid),
	CONSTRAINT cid_is_8_bytes CHECK (length(cid) = 8),
	CONSTRAINT mid_is_8_bytes CHECK (length(mid) = 8),
	CONSTRAINT tac_is_8_bytes CHECK (length(tac) = 8),
	CONSTRAINT evidence_is_32_bytes CHECK (length(evidence) = 32)
)

CREATE TABLE load (
	cid BYTEA NOT NULL,
	ltc BIGINT NOT NULL,
	lid BYTEA NOT NULL,
	lsn BIGINT NOT NULL,
	amount_minor BIGINT NOT NULL,
	currency BIGINT NOT NULL,
	kv BIGINT NOT NULL,
	card_balance_minor BIGINT NOT NULL,
	rc BYTEA NOT NULL,
	m1 BYTEA NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (cid, ltc),
	CONSTRAINT amount_more_than_zero CHECK (amount_minor > 0),
	FOREIGN KEY(cid) REFERENCES purse (cid),
	UNIQUE (lsn),
	CONSTRAINT cid_is_8_bytes CHECK (length(cid) = 8),
	CONSTRAINT lid_is_8_bytes CHECK (length(lid) = 8),
	CONSTRAINT rc_is_8_bytes CHECK (length(rc) = 8),
	CONSTRAINT m1_is_8_bytes CHECK (length(m1) = 8)
)

CREATE TABLE open_record (
	mid BYTEA NOT NULL,
	tsn BIGINT NOT NULL,
	terminal_id VARCHAR(8) NOT NULL,
	batch BIGINT NOT NULL,
	cid BYTEA NOT NULL,
	otc BIGINT NOT NULL,
	lsn_then BIGINT NOT NULL,
	incident_id BIGINT NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (mid, tsn),
	FOREIGN KEY(terminal_id, mid, batch, tsn) REFERENCES open_report (terminal_id, mid, batch, tsn),
	FOREIGN KEY(incident_id) REFERENCES incident (id),
	CONSTRAINT mid_is_8_bytes CHECK (length(mid) = 8),
	CONSTRAINT cid_is_8_bytes CHECK (length(cid) = 8)
)

CREATE INDEX open_record_by_card ON open_record (cid)

CREATE TABLE load_outcome (
	cid BYTEA NOT NULL,
	ltc BIGINT NOT NULL,
	outcome VARCHAR NOT NULL,
	balance_after_minor BIGINT,
	proof BYTEA NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (cid, ltc),
	FOREIGN KEY(cid, ltc) REFERENCES load (cid, ltc),
	CONSTRAINT outcome_known CHECK (outcome IN ('completed', 'voided')),
	CONSTRAINT cid_is_8_bytes CHECK (length(cid) = 8),
	CONSTRAINT proof_is_8_bytes CHECK (length(proof) = 8)
)

CREATE TABLE open_resolution (
	mid BYTEA NOT NULL,
	tsn BIGINT NOT NULL,
	how VARCHAR NOT NULL,
	debited BOOLEAN NOT NULL,
	balance_after_minor BIGINT,
	cumulative_debit_minor BIGINT,
	tac BYTEA,
	mac2 BYTEA,
	vmac BYTEA,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (mid, tsn),
	FOREIGN KEY(mid, tsn) REFERENCES open_record (mid, tsn),
	CONSTRAINT how_known CHECK ((how IN ('next payment', 'load') AND NOT debited) OR (how = 'delivered' AND debited) OR how = 'card desk'),
	CONSTRAINT voided_with_vmac CHECK ((how = 'card desk' AND NOT debited) = (vmac IS NOT NULL)),
	CONSTRAINT debited_with_proof CHECK ((how = 'card desk' AND debited) = (tac IS NOT NULL) AND (tac IS NULL) = (mac2 IS NULL) AND (tac IS NULL) = (balance_after_minor IS NULL) AND (tac IS NULL) = (cumulative_debit_minor IS NULL)),
	CONSTRAINT mid_is_8_bytes CHECK (length(mid) = 8),
	CONSTRAINT tac_is_8_bytes CHECK (length(tac) = 8),
	CONSTRAINT mac2_is_8_bytes CHECK (length(mac2) = 8),
	CONSTRAINT vmac_is_8_bytes CHECK (length(vmac) = 8)
)

CREATE FUNCTION {schema}.append_only() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: correct it with a further row', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$

CREATE TRIGGER account_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON account
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE account ENABLE ALWAYS TRIGGER account_append_only

CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE entry ENABLE ALWAYS TRIGGER entry_append_only

CREATE TRIGGER leg_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leg
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE leg ENABLE ALWAYS TRIGGER leg_append_only

CREATE TRIGGER terminal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON terminal
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE terminal ENABLE ALWAYS TRIGGER terminal_append_only

CREATE TRIGGER certificate_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON certificate
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE certificate ENABLE ALWAYS TRIGGER certificate_append_only

CREATE TRIGGER certificate_seen_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON certificate_seen
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE certificate_seen ENABLE ALWAYS TRIGGER certificate_seen_append_only

CREATE TRIGGER certificate_revoked_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON certificate_revoked
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE certificate_revoked ENABLE ALWAYS TRIGGER certificate_revoked_append_only

CREATE TRIGGER purse_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON purse
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE purse ENABLE ALWAYS TRIGGER purse_append_only

CREATE TRIGGER hotlist_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hotlist
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE hotlist ENABLE ALWAYS TRIGGER hotlist_append_only

CREATE TRIGGER published_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON published
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE published ENABLE ALWAYS TRIGGER published_append_only

CREATE TRIGGER load_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON load
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE load ENABLE ALWAYS TRIGGER load_append_only

CREATE TRIGGER load_outcome_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON load_outcome
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE load_outcome ENABLE ALWAYS TRIGGER load_outcome_append_only

CREATE TRIGGER batch_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON batch
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE batch ENABLE ALWAYS TRIGGER batch_append_only

CREATE TRIGGER batch_collected_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON batch_collected
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE batch_collected ENABLE ALWAYS TRIGGER batch_collected_append_only

CREATE TRIGGER record_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON record
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE record ENABLE ALWAYS TRIGGER record_append_only

CREATE TRIGGER payment_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE payment ENABLE ALWAYS TRIGGER payment_append_only

CREATE TRIGGER open_report_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON open_report
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE open_report ENABLE ALWAYS TRIGGER open_report_append_only

CREATE TRIGGER open_record_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON open_record
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE open_record ENABLE ALWAYS TRIGGER open_record_append_only

CREATE TRIGGER open_resolution_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON open_resolution
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE open_resolution ENABLE ALWAYS TRIGGER open_resolution_append_only

CREATE TRIGGER incident_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON incident
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE incident ENABLE ALWAYS TRIGGER incident_append_only

CREATE TRIGGER incident_closed_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON incident_closed
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE incident_closed ENABLE ALWAYS TRIGGER incident_closed_append_only

CREATE TRIGGER audit_head_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_head
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE audit_head ENABLE ALWAYS TRIGGER audit_head_append_only

CREATE TRIGGER statement_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON statement
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE statement ENABLE ALWAYS TRIGGER statement_append_only

CREATE FUNCTION {schema}.entry_balances() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE COALESCE((SELECT SUM(debit_minor) FROM leg WHERE entry_id = added.id), 0)
          <> added.amount_minor
     OR COALESCE((SELECT SUM(credit_minor) FROM leg WHERE entry_id = added.id), 0)
          <> added.amount_minor) THEN
    RAISE EXCEPTION 'the legs of an entry must balance'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF EXISTS (SELECT 1 FROM added WHERE EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                WHERE leg.entry_id = added.id AND account.currency <> added.currency)) THEN
    RAISE EXCEPTION 'the legs of an entry must be of its currency'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER entry_balances AFTER INSERT ON entry
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.entry_balances()

ALTER TABLE entry ENABLE ALWAYS TRIGGER entry_balances

CREATE FUNCTION {schema}.entry_of_payment() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.kind = 'payment') AND (NOT EXISTS (SELECT 1 FROM payment
                    WHERE cid = added.cid AND upper(encode(cid, 'hex')) = added.subject
                      AND otc = added.number
                      AND amount_minor = added.amount_minor
                      AND currency = added.currency))) THEN
    RAISE EXCEPTION 'a payment is posted only on its verified TAC'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF EXISTS (SELECT 1 FROM added WHERE (added.kind = 'payment') AND (NOT EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                    WHERE leg.entry_id = added.id
                      AND leg.debit_minor = added.amount_minor
                      AND account.kind = 'purse float'
                      AND account.owner = added.subject))) THEN
    RAISE EXCEPTION 'a payment is debited to the float of its own purse'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER entry_of_payment AFTER INSERT ON entry
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.entry_of_payment()

ALTER TABLE entry ENABLE ALWAYS TRIGGER entry_of_payment

CREATE FUNCTION {schema}.entry_of_reversal() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.kind = 'load reversal') AND (NOT EXISTS (SELECT 1 FROM load_outcome AS outcome
                    JOIN load ON load.cid = outcome.cid AND load.ltc = outcome.ltc
                    WHERE outcome.cid = added.cid AND upper(encode(outcome.cid, 'hex')) = added.subject
                      AND outcome.ltc = added.number
                      AND outcome.outcome = 'voided'
                      AND load.amount_minor = added.amount_minor))) THEN
    RAISE EXCEPTION 'a load is reversed only when the purse voided it'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER entry_of_reversal AFTER INSERT ON entry
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.entry_of_reversal()

ALTER TABLE entry ENABLE ALWAYS TRIGGER entry_of_reversal

CREATE FUNCTION {schema}.payment_on_tac() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE NOT EXISTS (SELECT 1 FROM record
                    WHERE terminal_id = added.terminal_id AND mid = added.mid
                      AND batch = added.batch AND stan = added.stan
                      AND cid = added.cid AND otc = added.otc
                      AND amount_minor = added.amount_minor
                      AND evidence = added.evidence AND tac = added.tac
                      AND tac_verified
                      AND decision IN ('posted', 'held'))) THEN
    RAISE EXCEPTION 'a payment is posted only on its verified TAC'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER payment_on_tac AFTER INSERT ON payment
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.payment_on_tac()

ALTER TABLE payment ENABLE ALWAYS TRIGGER payment_on_tac

CREATE FUNCTION {schema}.open_record_delivered() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.how = 'delivered') AND (NOT EXISTS (SELECT 1 FROM payment
                    JOIN open_record AS opened
                      ON opened.mid = payment.mid AND opened.tsn = payment.tsn
                     AND opened.cid = payment.cid AND opened.otc = payment.otc
                    WHERE payment.mid = added.mid AND payment.tsn = added.tsn))) THEN
    RAISE EXCEPTION 'an open record is delivered only when its payment is booked'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER open_record_delivered AFTER INSERT ON open_resolution
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.open_record_delivered()

ALTER TABLE open_resolution ENABLE ALWAYS TRIGGER open_record_delivered

CREATE FUNCTION {schema}.leg_sealed() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added JOIN entry ON entry.id = added.entry_id) THEN
    RAISE EXCEPTION 'the entry is complete: no leg can be added'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER leg_sealed AFTER INSERT ON leg REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.leg_sealed()

ALTER TABLE leg ENABLE ALWAYS TRIGGER leg_sealed

CREATE FUNCTION {schema}.leg_late() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM entry WHERE entry.id = NEW.entry_id AND (
      entry.amount_minor <> (SELECT SUM(debit_minor) FROM leg
                             WHERE leg.entry_id = NEW.entry_id)
      OR entry.amount_minor <> (SELECT SUM(credit_minor) FROM leg
                                WHERE leg.entry_id = NEW.entry_id))) THEN
    RAISE EXCEPTION 'the entry is complete: no leg can be added'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE CONSTRAINT TRIGGER leg_late AFTER INSERT ON leg
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.number > 2)
EXECUTE FUNCTION {schema}.leg_late()

ALTER TABLE leg ENABLE ALWAYS TRIGGER leg_late

CREATE FUNCTION {schema}.entry_numbered() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (
    SELECT 1 FROM added WHERE (SELECT COUNT(*) <> MAX(number) OR MIN(number) < 1
                               FROM leg WHERE leg.entry_id = added.id)) THEN
    RAISE EXCEPTION 'the legs of an entry are numbered from 1'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER entry_numbered AFTER INSERT ON entry REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.entry_numbered()

ALTER TABLE entry ENABLE ALWAYS TRIGGER entry_numbered
