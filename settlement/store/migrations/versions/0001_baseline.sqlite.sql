CREATE TABLE batch (
	terminal_id VARCHAR(8) NOT NULL,
	mid BLOB NOT NULL,
	batch INTEGER NOT NULL,
	office VARCHAR NOT NULL,
	currency INTEGER NOT NULL,
	count INTEGER NOT NULL,
	sum_minor INTEGER NOT NULL,
	open_count INTEGER NOT NULL,
	open_sum_minor INTEGER NOT NULL,
	chain BLOB NOT NULL,
	mac BLOB NOT NULL,
	opened_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, mid, batch)
)

CREATE INDEX batch_by_card ON batch (mid, batch)

CREATE TABLE terminal (
	terminal_id VARCHAR(8) NOT NULL,
	serial INTEGER NOT NULL,
	mid BLOB NOT NULL,
	office VARCHAR NOT NULL,
	currency INTEGER NOT NULL,
	kv INTEGER NOT NULL,
	bound_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, serial)
)

CREATE INDEX terminal_by_mid ON terminal (mid)

CREATE TABLE hotlist (
	cid BLOB NOT NULL,
	serial INTEGER NOT NULL,
	version INTEGER NOT NULL,
	listed BOOLEAN NOT NULL,
	reason VARCHAR NOT NULL,
	since VARCHAR(27) NOT NULL,
	PRIMARY KEY (cid, serial)
)

CREATE INDEX hotlist_by_version ON hotlist (version)

CREATE TABLE published (
	kind INTEGER NOT NULL,
	version INTEGER NOT NULL,
	"key" BLOB NOT NULL,
	value BLOB,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (kind, version, "key"),
	CONSTRAINT kind_known CHECK (kind IN (1, 3, 4))
)

CREATE TABLE incident (
	id INTEGER NOT NULL,
	fingerprint BLOB NOT NULL,
	code VARCHAR NOT NULL,
	terminal_id VARCHAR NOT NULL,
	batch INTEGER,
	stan INTEGER,
	masked_card VARCHAR NOT NULL,
	amount_minor INTEGER,
	text VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (fingerprint)
)

CREATE TABLE account (
	id INTEGER NOT NULL,
	kind VARCHAR NOT NULL,
	owner VARCHAR NOT NULL,
	currency INTEGER NOT NULL,
	name VARCHAR NOT NULL,
	opened_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (kind, owner, currency)
)

CREATE TABLE entry (
	id INTEGER NOT NULL,
	kind VARCHAR NOT NULL,
	subject VARCHAR NOT NULL,
	number INTEGER NOT NULL,
	cid BLOB,
	currency INTEGER NOT NULL,
	amount_minor INTEGER NOT NULL,
	booked_at VARCHAR(27) NOT NULL,
	memo VARCHAR NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (kind, subject, number),
	CONSTRAINT amount_more_than_zero CHECK (amount_minor > 0)
)

CREATE TABLE certificate (
	terminal_id VARCHAR(8) NOT NULL,
	number INTEGER NOT NULL,
	serial BLOB NOT NULL,
	not_before VARCHAR(27) NOT NULL,
	not_after VARCHAR(27) NOT NULL,
	issued_for VARCHAR NOT NULL,
	issued_by VARCHAR NOT NULL,
	issued_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, number),
	CONSTRAINT issued_for_known CHECK (issued_for IN ('admission', 'renewal', 'request')),
	UNIQUE (serial)
)

CREATE TABLE batch_collected (
	terminal_id VARCHAR(8) NOT NULL,
	mid BLOB NOT NULL,
	batch INTEGER NOT NULL,
	ack_mac BLOB NOT NULL,
	posted_count INTEGER NOT NULL,
	posted_minor INTEGER NOT NULL,
	suspended_count INTEGER NOT NULL,
	suspended_minor INTEGER NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, mid, batch),
	FOREIGN KEY(terminal_id, mid, batch) REFERENCES batch (terminal_id, mid, batch)
)

CREATE TABLE record (
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
	decision VARCHAR NOT NULL,
	reason VARCHAR NOT NULL,
	received_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, mid, batch, stan),
	FOREIGN KEY(terminal_id, mid, batch) REFERENCES batch (terminal_id, mid, batch),
	CONSTRAINT paid_on_the_tac CHECK (decision NOT IN ('posted', 'held') OR tac_verified),
	CONSTRAINT decision_known CHECK (decision IN ('posted', 'held', 'suspended', 'duplicate', 'conflict', 'refused'))
)

CREATE INDEX record_by_card ON record (cid, otc)

CREATE TABLE audit_head (
	terminal_id VARCHAR(8) NOT NULL,
	serial INTEGER NOT NULL,
	mid BLOB NOT NULL,
	batch INTEGER NOT NULL,
	journal BLOB NOT NULL,
	entries INTEGER NOT NULL,
	digest BLOB NOT NULL,
	received_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, serial),
	UNIQUE (terminal_id, mid, batch, journal, entries, digest),
	FOREIGN KEY(terminal_id, mid, batch) REFERENCES batch (terminal_id, mid, batch)
)

CREATE TABLE purse (
	cid BLOB NOT NULL,
	account_id INTEGER NOT NULL,
	holder VARCHAR NOT NULL,
	currency INTEGER NOT NULL,
	kv INTEGER NOT NULL,
	balance_limit_minor INTEGER NOT NULL,
	payment_limit_minor INTEGER NOT NULL,
	valid_from VARCHAR NOT NULL,
	expiry VARCHAR NOT NULL,
	issued_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (cid),
	FOREIGN KEY(account_id) REFERENCES account (id)
)

CREATE TABLE incident_closed (
	incident_id INTEGER NOT NULL,
	text VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (incident_id),
	FOREIGN KEY(incident_id) REFERENCES incident (id)
)

CREATE TABLE open_report (
	terminal_id VARCHAR(8) NOT NULL,
	mid BLOB NOT NULL,
	batch INTEGER NOT NULL,
	tsn INTEGER NOT NULL,
	stan INTEGER NOT NULL,
	tx BLOB NOT NULL,
	cid BLOB NOT NULL,
	otc INTEGER NOT NULL,
	amount_minor INTEGER NOT NULL,
	kv INTEGER NOT NULL,
	rc BLOB NOT NULL,
	details VARCHAR,
	received_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, mid, batch, tsn),
	FOREIGN KEY(terminal_id, mid, batch) REFERENCES batch (terminal_id, mid, batch)
)

CREATE TABLE leg (
	entry_id INTEGER NOT NULL,
	number INTEGER NOT NULL,
	account_id INTEGER NOT NULL,
	debit_minor INTEGER NOT NULL,
	credit_minor INTEGER NOT NULL,
	PRIMARY KEY (entry_id, number),
	CONSTRAINT debit_or_credit CHECK (debit_minor >= 0 AND credit_minor >= 0 AND (debit_minor = 0) <> (credit_minor = 0)),
	FOREIGN KEY(entry_id) REFERENCES entry (id) DEFERRABLE INITIALLY DEFERRED,
	FOREIGN KEY(account_id) REFERENCES account (id)
)

CREATE INDEX leg_by_account ON leg (account_id, entry_id, debit_minor, credit_minor)

CREATE TABLE statement (
	number INTEGER NOT NULL,
	account_id INTEGER NOT NULL,
	first_day VARCHAR NOT NULL,
	last_day VARCHAR NOT NULL,
	last_entry_id INTEGER NOT NULL,
	document VARCHAR NOT NULL,
	digest BLOB NOT NULL,
	issued_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (number),
	UNIQUE (account_id, first_day, last_day, last_entry_id),
	FOREIGN KEY(account_id) REFERENCES account (id)
)

CREATE TABLE certificate_seen (
	terminal_id VARCHAR(8) NOT NULL,
	number INTEGER NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, number),
	FOREIGN KEY(terminal_id, number) REFERENCES certificate (terminal_id, number)
)

CREATE TABLE certificate_revoked (
	terminal_id VARCHAR(8) NOT NULL,
	number INTEGER NOT NULL,
	reason VARCHAR NOT NULL,
	revoked_by VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, number),
	FOREIGN KEY(terminal_id, number) REFERENCES certificate (terminal_id, number)
)

CREATE TABLE payment (
	cid BLOB NOT NULL,
	otc INTEGER NOT NULL,
	mid BLOB NOT NULL,
	tsn INTEGER NOT NULL,
	terminal_id VARCHAR NOT NULL,
	batch INTEGER NOT NULL,
	stan INTEGER NOT NULL,
	amount_minor INTEGER NOT NULL,
	currency INTEGER NOT NULL,
	balance_after_minor INTEGER NOT NULL,
	cumulative_debit_minor INTEGER NOT NULL,
	tac BLOB NOT NULL,
	evidence BLOB NOT NULL,
	paid_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (cid, otc),
	UNIQUE (mid, tsn),
	FOREIGN KEY(terminal_id, mid, batch, stan) REFERENCES record (terminal_id, mid, batch, stan),
	CONSTRAINT amount_more_than_zero CHECK (amount_minor > 0),
	FOREIGN KEY(cid) REFERENCES purse (cid)
)

CREATE TABLE load (
	cid BLOB NOT NULL,
	ltc INTEGER NOT NULL,
	lid BLOB NOT NULL,
	lsn INTEGER NOT NULL,
	amount_minor INTEGER NOT NULL,
	currency INTEGER NOT NULL,
	kv INTEGER NOT NULL,
	card_balance_minor INTEGER NOT NULL,
	rc BLOB NOT NULL,
	m1 BLOB NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (cid, ltc),
	CONSTRAINT amount_more_than_zero CHECK (amount_minor > 0),
	FOREIGN KEY(cid) REFERENCES purse (cid),
	UNIQUE (lsn)
)

CREATE TABLE open_record (
	mid BLOB NOT NULL,
	tsn INTEGER NOT NULL,
	terminal_id VARCHAR(8) NOT NULL,
	batch INTEGER NOT NULL,
	cid BLOB NOT NULL,
	otc INTEGER NOT NULL,
	lsn_then INTEGER NOT NULL,
	incident_id INTEGER NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (mid, tsn),
	FOREIGN KEY(terminal_id, mid, batch, tsn) REFERENCES open_report (terminal_id, mid, batch, tsn),
	FOREIGN KEY(incident_id) REFERENCES incident (id)
)

CREATE INDEX open_record_by_card ON open_record (cid)

CREATE TABLE load_outcome (
	cid BLOB NOT NULL,
	ltc INTEGER NOT NULL,
	outcome VARCHAR NOT NULL,
	balance_after_minor INTEGER,
	proof BLOB NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (cid, ltc),
	FOREIGN KEY(cid, ltc) REFERENCES load (cid, ltc),
	CONSTRAINT outcome_known CHECK (outcome IN ('completed', 'voided'))
)

CREATE TABLE open_resolution (
	mid BLOB NOT NULL,
	tsn INTEGER NOT NULL,
	how VARCHAR NOT NULL,
	debited BOOLEAN NOT NULL,
	balance_after_minor INTEGER,
	cumulative_debit_minor INTEGER,
	tac BLOB,
	mac2 BLOB,
	vmac BLOB,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (mid, tsn),
	FOREIGN KEY(mid, tsn) REFERENCES open_record (mid, tsn),
	CONSTRAINT how_known CHECK ((how IN ('next payment', 'load') AND NOT debited) OR (how = 'delivered' AND debited) OR how = 'card desk'),
	CONSTRAINT voided_with_vmac CHECK ((how = 'card desk' AND NOT debited) = (vmac IS NOT NULL)),
	CONSTRAINT debited_with_proof CHECK ((how = 'card desk' AND debited) = (tac IS NOT NULL) AND (tac IS NULL) = (mac2 IS NULL) AND (tac IS NULL) = (balance_after_minor IS NULL) AND (tac IS NULL) = (cumulative_debit_minor IS NULL))
)

CREATE TRIGGER account_no_update BEFORE UPDATE ON account
BEGIN
  SELECT RAISE(ABORT, 'account is append-only: correct it with a further row');
END

CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry
BEGIN
  SELECT RAISE(ABORT, 'entry is append-only: correct it with a further row');
END

CREATE TRIGGER leg_no_update BEFORE UPDATE ON leg
BEGIN
  SELECT RAISE(ABORT, 'leg is append-only: correct it with a further row');
END

CREATE TRIGGER terminal_no_update BEFORE UPDATE ON terminal
BEGIN
  SELECT RAISE(ABORT, 'terminal is append-only: correct it with a further row');
END

CREATE TRIGGER certificate_no_update BEFORE UPDATE ON certificate
BEGIN
  SELECT RAISE(ABORT, 'certificate is append-only: correct it with a further row');
END

CREATE TRIGGER certificate_seen_no_update BEFORE UPDATE ON certificate_seen
BEGIN
  SELECT RAISE(ABORT, 'certificate_seen is append-only: correct it with a further row');
END

CREATE TRIGGER certificate_revoked_no_update BEFORE UPDATE ON certificate_revoked
BEGIN
  SELECT RAISE(ABORT, 'certificate_revoked is append-only: correct it with a further row');
END

CREATE TRIGGER purse_no_update BEFORE UPDATE ON purse
BEGIN
  SELECT RAISE(ABORT, 'purse is append-only: correct it with a further row');
END

CREATE TRIGGER hotlist_no_update BEFORE UPDATE ON hotlist
BEGIN
  SELECT RAISE(ABORT, 'hotlist is append-only: correct it with a further row');
END

CREATE TRIGGER published_no_update BEFORE UPDATE ON published
BEGIN
  SELECT RAISE(ABORT, 'published is append-only: correct it with a further row');
END

CREATE TRIGGER load_no_update BEFORE UPDATE ON load
BEGIN
  SELECT RAISE(ABORT, 'load is append-only: correct it with a further row');
END

CREATE TRIGGER load_outcome_no_update BEFORE UPDATE ON load_outcome
BEGIN
  SELECT RAISE(ABORT, 'load_outcome is append-only: correct it with a further row');
END

CREATE TRIGGER batch_no_update BEFORE UPDATE ON batch
BEGIN
  SELECT RAISE(ABORT, 'batch is append-only: correct it with a further row');
END

CREATE TRIGGER batch_collected_no_update BEFORE UPDATE ON batch_collected
BEGIN
  SELECT RAISE(ABORT, 'batch_collected is append-only: correct it with a further row');
END

CREATE TRIGGER record_no_update BEFORE UPDATE ON record
BEGIN
  SELECT RAISE(ABORT, 'record is append-only: correct it with a further row');
END

CREATE TRIGGER payment_no_update BEFORE UPDATE ON payment
BEGIN
  SELECT RAISE(ABORT, 'payment is append-only: correct it with a further row');
END

CREATE TRIGGER open_report_no_update BEFORE UPDATE ON open_report
BEGIN
  SELECT RAISE(ABORT, 'open_report is append-only: correct it with a further row');
END

CREATE TRIGGER open_record_no_update BEFORE UPDATE ON open_record
BEGIN
  SELECT RAISE(ABORT, 'open_record is append-only: correct it with a further row');
END

CREATE TRIGGER open_resolution_no_update BEFORE UPDATE ON open_resolution
BEGIN
  SELECT RAISE(ABORT, 'open_resolution is append-only: correct it with a further row');
END

CREATE TRIGGER incident_no_update BEFORE UPDATE ON incident
BEGIN
  SELECT RAISE(ABORT, 'incident is append-only: correct it with a further row');
END

CREATE TRIGGER incident_closed_no_update BEFORE UPDATE ON incident_closed
BEGIN
  SELECT RAISE(ABORT, 'incident_closed is append-only: correct it with a further row');
END

CREATE TRIGGER audit_head_no_update BEFORE UPDATE ON audit_head
BEGIN
  SELECT RAISE(ABORT, 'audit_head is append-only: correct it with a further row');
END

CREATE TRIGGER statement_no_update BEFORE UPDATE ON statement
BEGIN
  SELECT RAISE(ABORT, 'statement is append-only: correct it with a further row');
END

CREATE TRIGGER account_no_delete BEFORE DELETE ON account
BEGIN
  SELECT RAISE(ABORT, 'account is append-only: correct it with a further row');
END

CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry
BEGIN
  SELECT RAISE(ABORT, 'entry is append-only: correct it with a further row');
END

CREATE TRIGGER leg_no_delete BEFORE DELETE ON leg
BEGIN
  SELECT RAISE(ABORT, 'leg is append-only: correct it with a further row');
END

CREATE TRIGGER terminal_no_delete BEFORE DELETE ON terminal
BEGIN
  SELECT RAISE(ABORT, 'terminal is append-only: correct it with a further row');
END

CREATE TRIGGER certificate_no_delete BEFORE DELETE ON certificate
BEGIN
  SELECT RAISE(ABORT, 'certificate is append-only: correct it with a further row');
END

CREATE TRIGGER certificate_seen_no_delete BEFORE DELETE ON certificate_seen
BEGIN
  SELECT RAISE(ABORT, 'certificate_seen is append-only: correct it with a further row');
END

CREATE TRIGGER certificate_revoked_no_delete BEFORE DELETE ON certificate_revoked
BEGIN
  SELECT RAISE(ABORT, 'certificate_revoked is append-only: correct it with a further row');
END

CREATE TRIGGER purse_no_delete BEFORE DELETE ON purse
BEGIN
  SELECT RAISE(ABORT, 'purse is append-only: correct it with a further row');
END

CREATE TRIGGER hotlist_no_delete BEFORE DELETE ON hotlist
BEGIN
  SELECT RAISE(ABORT, 'hotlist is append-only: correct it with a further row');
END

CREATE TRIGGER published_no_delete BEFORE DELETE ON published
BEGIN
  SELECT RAISE(ABORT, 'published is append-only: correct it with a further row');
END

CREATE TRIGGER load_no_delete BEFORE DELETE ON load
BEGIN
  SELECT RAISE(ABORT, 'load is append-only: correct it with a further row');
END

CREATE TRIGGER load_outcome_no_delete BEFORE DELETE ON load_outcome
BEGIN
  SELECT RAISE(ABORT, 'load_outcome is append-only: correct it with a further row');
END

CREATE TRIGGER batch_no_delete BEFORE DELETE ON batch
BEGIN
  SELECT RAISE(ABORT, 'batch is append-only: correct it with a further row');
END

CREATE TRIGGER batch_collected_no_delete BEFORE DELETE ON batch_collected
BEGIN
  SELECT RAISE(ABORT, 'batch_collected is append-only: correct it with a further row');
END

CREATE TRIGGER record_no_delete BEFORE DELETE ON record
BEGIN
  SELECT RAISE(ABORT, 'record is append-only: correct it with a further row');
END

CREATE TRIGGER payment_no_delete BEFORE DELETE ON payment
BEGIN
  SELECT RAISE(ABORT, 'payment is append-only: correct it with a further row');
END

CREATE TRIGGER open_report_no_delete BEFORE DELETE ON open_report
BEGIN
  SELECT RAISE(ABORT, 'open_report is append-only: correct it with a further row');
END

CREATE TRIGGER open_record_no_delete BEFORE DELETE ON open_record
BEGIN
  SELECT RAISE(ABORT, 'open_record is append-only: correct it with a further row');
END

CREATE TRIGGER open_resolution_no_delete BEFORE DELETE ON open_resolution
BEGIN
  SELECT RAISE(ABORT, 'open_resolution is append-only: correct it with a further row');
END

CREATE TRIGGER incident_no_delete BEFORE DELETE ON incident
BEGIN
  SELECT RAISE(ABORT, 'incident is append-only: correct it with a further row');
END

CREATE TRIGGER incident_closed_no_delete BEFORE DELETE ON incident_closed
BEGIN
  SELECT RAISE(ABORT, 'incident_closed is append-only: correct it with a further row');
END

CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
BEGIN
  SELECT RAISE(ABORT, 'audit_head is append-only: correct it with a further row');
END

CREATE TRIGGER statement_no_delete BEFORE DELETE ON statement
BEGIN
  SELECT RAISE(ABORT, 'statement is append-only: correct it with a further row');
END

CREATE TRIGGER account_no_replace BEFORE INSERT ON account WHEN EXISTS (SELECT 1 FROM account WHERE id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'account is append-only: this key is taken');
END

CREATE TRIGGER entry_no_replace BEFORE INSERT ON entry WHEN EXISTS (SELECT 1 FROM entry WHERE id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'entry is append-only: this key is taken');
END

CREATE TRIGGER payment_no_replace BEFORE INSERT ON payment WHEN EXISTS (SELECT 1 FROM payment WHERE cid = NEW.cid AND otc = NEW.otc)
BEGIN
  SELECT RAISE(ABORT, 'payment is append-only: this key is taken');
END

CREATE TRIGGER record_no_replace BEFORE INSERT ON record WHEN EXISTS (SELECT 1 FROM record WHERE terminal_id = NEW.terminal_id AND mid = NEW.mid AND batch = NEW.batch AND stan = NEW.stan)
BEGIN
  SELECT RAISE(ABORT, 'record is append-only: this key is taken');
END

CREATE TRIGGER published_no_replace BEFORE INSERT ON published WHEN EXISTS (SELECT 1 FROM published WHERE kind = NEW.kind AND version = NEW.version AND key = NEW.key)
BEGIN
  SELECT RAISE(ABORT, 'published is append-only: this key is taken');
END

CREATE TRIGGER load_no_replace BEFORE INSERT ON load WHEN EXISTS (SELECT 1 FROM load WHERE cid = NEW.cid AND ltc = NEW.ltc)
BEGIN
  SELECT RAISE(ABORT, 'load is append-only: this key is taken');
END

CREATE TRIGGER load_outcome_no_replace BEFORE INSERT ON load_outcome WHEN EXISTS (SELECT 1 FROM load_outcome WHERE cid = NEW.cid AND ltc = NEW.ltc)
BEGIN
  SELECT RAISE(ABORT, 'load_outcome is append-only: this key is taken');
END

CREATE TRIGGER certificate_no_replace BEFORE INSERT ON certificate WHEN EXISTS (SELECT 1 FROM certificate WHERE terminal_id = NEW.terminal_id AND number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'certificate is append-only: this key is taken');
END

CREATE TRIGGER certificate_seen_no_replace BEFORE INSERT ON certificate_seen WHEN EXISTS (SELECT 1 FROM certificate_seen WHERE terminal_id = NEW.terminal_id AND number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'certificate_seen is append-only: this key is taken');
END

CREATE TRIGGER certificate_revoked_no_replace BEFORE INSERT ON certificate_revoked WHEN EXISTS (SELECT 1 FROM certificate_revoked WHERE terminal_id = NEW.terminal_id AND number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'certificate_revoked is append-only: this key is taken');
END

CREATE TRIGGER open_record_no_replace BEFORE INSERT ON open_record WHEN EXISTS (SELECT 1 FROM open_record WHERE mid = NEW.mid AND tsn = NEW.tsn)
BEGIN
  SELECT RAISE(ABORT, 'open_record is append-only: this key is taken');
END

CREATE TRIGGER open_resolution_no_replace BEFORE INSERT ON open_resolution WHEN EXISTS (SELECT 1 FROM open_resolution WHERE mid = NEW.mid AND tsn = NEW.tsn)
BEGIN
  SELECT RAISE(ABORT, 'open_resolution is append-only: this key is taken');
END

CREATE TRIGGER incident_closed_no_replace BEFORE INSERT ON incident_closed WHEN EXISTS (SELECT 1 FROM incident_closed WHERE incident_id = NEW.incident_id)
BEGIN
  SELECT RAISE(ABORT, 'incident_closed is append-only: this key is taken');
END

CREATE TRIGGER audit_head_no_replace BEFORE INSERT ON audit_head WHEN EXISTS (SELECT 1 FROM audit_head WHERE terminal_id = NEW.terminal_id AND serial = NEW.serial)
BEGIN
  SELECT RAISE(ABORT, 'audit_head is append-only: this key is taken');
END

CREATE TRIGGER statement_no_replace BEFORE INSERT ON statement WHEN EXISTS (SELECT 1 FROM statement WHERE number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'statement is append-only: this key is taken');
END

CREATE TRIGGER leg_sealed BEFORE INSERT ON leg
WHEN EXISTS (SELECT 1 FROM entry WHERE id = NEW.entry_id)
  OR EXISTS (SELECT 1 FROM leg
             WHERE entry_id = NEW.entry_id AND number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'the entry is complete: no leg can be added');
END

CREATE TRIGGER entry_balances BEFORE INSERT ON entry
BEGIN
  SELECT RAISE(ABORT, 'the legs of an entry must balance')
  WHERE COALESCE((SELECT SUM(debit_minor) FROM leg WHERE entry_id = NEW.id), 0)
          <> NEW.amount_minor
     OR COALESCE((SELECT SUM(credit_minor) FROM leg WHERE entry_id = NEW.id), 0)
          <> NEW.amount_minor;
  SELECT RAISE(ABORT, 'the legs of an entry must be of its currency')
  WHERE EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                WHERE leg.entry_id = NEW.id AND account.currency <> NEW.currency);
END

CREATE TRIGGER entry_of_payment BEFORE INSERT ON entry WHEN NEW.kind = 'payment'
BEGIN
  SELECT RAISE(ABORT, 'a payment is posted only on its verified TAC')
  WHERE NOT EXISTS (SELECT 1 FROM payment
                    WHERE cid = NEW.cid AND hex(cid) = NEW.subject
                      AND otc = NEW.number
                      AND amount_minor = NEW.amount_minor
                      AND currency = NEW.currency);
  SELECT RAISE(ABORT, 'a payment is debited to the float of its own purse')
  WHERE NOT EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                    WHERE leg.entry_id = NEW.id
                      AND leg.debit_minor = NEW.amount_minor
                      AND account.kind = 'purse float'
                      AND account.owner = NEW.subject);
END

CREATE TRIGGER entry_of_reversal BEFORE INSERT ON entry
WHEN NEW.kind = 'load reversal'
BEGIN
  SELECT RAISE(ABORT, 'a load is reversed only when the purse voided it')
  WHERE NOT EXISTS (SELECT 1 FROM load_outcome AS outcome
                    JOIN load ON load.cid = outcome.cid AND load.ltc = outcome.ltc
                    WHERE outcome.cid = NEW.cid AND hex(outcome.cid) = NEW.subject
                      AND outcome.ltc = NEW.number
                      AND outcome.outcome = 'voided'
                      AND load.amount_minor = NEW.amount_minor);
END

CREATE TRIGGER payment_on_tac BEFORE INSERT ON payment
BEGIN
  SELECT RAISE(ABORT, 'a payment is posted only on its verified TAC')
  WHERE NOT EXISTS (SELECT 1 FROM record
                    WHERE terminal_id = NEW.terminal_id AND mid = NEW.mid
                      AND batch = NEW.batch AND stan = NEW.stan
                      AND cid = NEW.cid AND otc = NEW.otc
                      AND amount_minor = NEW.amount_minor
                      AND evidence = NEW.evidence AND tac = NEW.tac
                      AND tac_verified = 1
                      AND decision IN ('posted', 'held'));
END

CREATE TRIGGER open_record_delivered BEFORE INSERT ON open_resolution
WHEN NEW.how = 'delivered'
BEGIN
  SELECT RAISE(ABORT, 'an open record is delivered only when its payment is booked')
  WHERE NOT EXISTS (SELECT 1 FROM payment
                    JOIN open_record AS opened
                      ON opened.mid = payment.mid AND opened.tsn = payment.tsn
                     AND opened.cid = payment.cid AND opened.otc = payment.otc
                    WHERE payment.mid = NEW.mid AND payment.tsn = NEW.tsn);
END
