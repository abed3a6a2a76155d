CREATE TABLE officer (
	name VARCHAR NOT NULL,
	full_name VARCHAR NOT NULL,
	role VARCHAR NOT NULL,
	proposal INTEGER,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (name),
	CONSTRAINT role_known CHECK (role IN ('operations', 'supervisor', 'security'))
)

CREATE INDEX batch_by_time ON batch (opened_at)

CREATE INDEX published_by_key ON published (kind, "key")

CREATE TABLE tariff (
	code VARCHAR NOT NULL,
	currency INTEGER NOT NULL,
	serial INTEGER NOT NULL,
	amount_minor INTEGER NOT NULL,
	noted_by VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (code, currency, serial),
	CONSTRAINT amount_not_negative CHECK (amount_minor >= 0)
)

CREATE TABLE office (
	code VARCHAR(15) NOT NULL,
	serial INTEGER NOT NULL,
	name VARCHAR NOT NULL,
	name_ar VARCHAR NOT NULL,
	currency INTEGER NOT NULL,
	noted_by VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (code, serial)
)

-- An office that has accounts is one that the bank was told of, by its code alone.
INSERT INTO office (code, serial, name, name_ar, currency, noted_by, at)
SELECT owner, 1, owner, '', currency, 'raseed-bank migrate', MIN(opened_at)
FROM account WHERE kind IN ('customs revenue', 'customs deposits', 'merchant')
GROUP BY owner, currency

CREATE TABLE payment_request (
	number VARCHAR NOT NULL,
	office VARCHAR NOT NULL,
	declaration VARCHAR NOT NULL,
	kind VARCHAR NOT NULL,
	amount_minor INTEGER NOT NULL,
	currency INTEGER NOT NULL,
	payer VARCHAR NOT NULL,
	broker VARCHAR NOT NULL,
	delivery_order VARCHAR NOT NULL,
	lines VARCHAR NOT NULL,
	due VARCHAR NOT NULL,
	content BLOB NOT NULL,
	source VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (number),
	CONSTRAINT request_more_than_zero CHECK (amount_minor > 0),
	CONSTRAINT request_kind_known CHECK (kind IN ('fees', 'deposits')),
	CONSTRAINT content_is_32_bytes CHECK (length(content) = 32)
)

CREATE INDEX payment_request_by_declaration ON payment_request (declaration)

CREATE INDEX payment_request_by_office ON payment_request (office, number)

CREATE TABLE request_decline (
	terminal_id VARCHAR(8) NOT NULL,
	content BLOB NOT NULL,
	number VARCHAR NOT NULL,
	reason VARCHAR NOT NULL,
	clerk VARCHAR NOT NULL,
	declined_at VARCHAR(27) NOT NULL,
	code VARCHAR NOT NULL,
	text VARCHAR NOT NULL,
	received_at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, content),
	CONSTRAINT content_is_32_bytes CHECK (length(content) = 32)
)

CREATE INDEX request_decline_by_number ON request_decline (number)

CREATE TABLE request_published (
	office VARCHAR(15) NOT NULL,
	version INTEGER NOT NULL,
	number VARCHAR NOT NULL,
	value BLOB,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (office, version, number)
)

CREATE INDEX request_published_by_version ON request_published (version)

CREATE TABLE request_snapshot (
	office VARCHAR(15) NOT NULL,
	version INTEGER NOT NULL,
	content BLOB NOT NULL,
	PRIMARY KEY (office, version)
)

CREATE TABLE api_token (
	id INTEGER NOT NULL,
	name VARCHAR NOT NULL,
	digest BLOB NOT NULL,
	offices VARCHAR NOT NULL,
	scopes VARCHAR NOT NULL,
	who VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (name),
	UNIQUE (digest),
	CONSTRAINT digest_is_32_bytes CHECK (length(digest) = 32)
)

CREATE TABLE terminal_call (
	terminal_id VARCHAR(8) NOT NULL,
	serial INTEGER NOT NULL,
	line VARCHAR NOT NULL,
	began_at VARCHAR(27) NOT NULL,
	ended_at VARCHAR(27) NOT NULL,
	messages INTEGER NOT NULL,
	outcome VARCHAR NOT NULL,
	trouble VARCHAR,
	PRIMARY KEY (terminal_id, serial)
)

CREATE TABLE incident_evidence (
	incident_id INTEGER NOT NULL,
	serial INTEGER NOT NULL,
	data BLOB NOT NULL,
	digest BLOB NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (incident_id, serial),
	UNIQUE (incident_id, digest),
	FOREIGN KEY(incident_id) REFERENCES incident (id),
	CONSTRAINT digest_is_32_bytes CHECK (length(digest) = 32)
)

CREATE TABLE incident_work (
	incident_id INTEGER NOT NULL,
	serial INTEGER NOT NULL,
	kind VARCHAR NOT NULL,
	officer VARCHAR NOT NULL,
	owner VARCHAR,
	outcome VARCHAR,
	text VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (incident_id, serial),
	CONSTRAINT kind_known CHECK ((kind = 'noted' AND owner IS NULL AND outcome IS NULL) OR (kind = 'assigned' AND owner IS NOT NULL AND outcome IS NULL) OR (kind = 'resolved' AND owner IS NULL AND outcome IN ('explained', 'corrected', 'fraud reported', 'no fault', 'suspense'))),
	FOREIGN KEY(incident_id) REFERENCES incident (id),
	FOREIGN KEY(officer) REFERENCES officer (name),
	FOREIGN KEY(owner) REFERENCES officer (name)
)

CREATE TABLE proposal (
	number INTEGER NOT NULL,
	kind VARCHAR NOT NULL,
	subject VARCHAR NOT NULL,
	document VARCHAR NOT NULL,
	digest BLOB NOT NULL,
	reason VARCHAR NOT NULL,
	officer VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (number),
	FOREIGN KEY(officer) REFERENCES officer (name),
	CONSTRAINT digest_is_32_bytes CHECK (length(digest) = 32)
)

CREATE INDEX proposal_by_subject ON proposal (kind, subject)

CREATE TABLE hotlist_block (
	cid BLOB NOT NULL,
	serial INTEGER NOT NULL,
	contact VARCHAR NOT NULL,
	by_command BOOLEAN NOT NULL,
	user VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (cid, serial),
	FOREIGN KEY(cid, serial) REFERENCES hotlist (cid, serial),
	CONSTRAINT cid_is_8_bytes CHECK (length(cid) = 8)
)

CREATE INDEX batch_collected_by_time ON batch_collected (terminal_id, at)

CREATE TABLE correction (
	number INTEGER NOT NULL,
	entry_id INTEGER NOT NULL,
	origin_id INTEGER NOT NULL,
	debit_account_id INTEGER NOT NULL,
	credit_account_id INTEGER NOT NULL,
	amount_minor INTEGER NOT NULL,
	currency INTEGER NOT NULL,
	reason VARCHAR NOT NULL,
	proposed_by VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (number),
	CONSTRAINT amount_more_than_zero CHECK (amount_minor > 0),
	CONSTRAINT moves_something CHECK (debit_account_id <> credit_account_id),
	CONSTRAINT reason_given CHECK (length(trim(reason)) > 0),
	FOREIGN KEY(entry_id) REFERENCES entry (id),
	FOREIGN KEY(origin_id) REFERENCES entry (id),
	FOREIGN KEY(debit_account_id) REFERENCES account (id),
	FOREIGN KEY(credit_account_id) REFERENCES account (id)
)

CREATE INDEX correction_by_origin ON correction (origin_id)

CREATE TABLE bank_fee (
	number INTEGER NOT NULL,
	code VARCHAR NOT NULL,
	subject VARCHAR NOT NULL,
	event INTEGER NOT NULL,
	account_id INTEGER NOT NULL,
	amount_minor INTEGER NOT NULL,
	currency INTEGER NOT NULL,
	tariff_serial INTEGER NOT NULL,
	noted_by VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (number),
	UNIQUE (code, subject, event),
	FOREIGN KEY(code, currency, tariff_serial) REFERENCES tariff (code, currency, serial),
	CONSTRAINT amount_more_than_zero CHECK (amount_minor > 0),
	FOREIGN KEY(account_id) REFERENCES account (id)
)

CREATE TABLE api_token_revoked (
	token_id INTEGER NOT NULL,
	who VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (token_id),
	FOREIGN KEY(token_id) REFERENCES api_token (id)
)

CREATE TABLE api_reply (
	token_id INTEGER NOT NULL,
	idempotency_key VARCHAR NOT NULL,
	content BLOB NOT NULL,
	status INTEGER NOT NULL,
	body VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (token_id, idempotency_key),
	FOREIGN KEY(token_id) REFERENCES api_token (id),
	CONSTRAINT content_is_32_bytes CHECK (length(content) = 32)
)

CREATE TABLE officer_password (
	name VARCHAR NOT NULL,
	serial INTEGER NOT NULL,
	hash VARCHAR NOT NULL,
	proposal INTEGER,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (name, serial),
	FOREIGN KEY(name) REFERENCES officer (name),
	FOREIGN KEY(proposal) REFERENCES proposal (number)
)

CREATE TABLE officer_disabled (
	name VARCHAR NOT NULL,
	proposal INTEGER NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (name),
	FOREIGN KEY(name) REFERENCES officer (name),
	FOREIGN KEY(proposal) REFERENCES proposal (number)
)

CREATE TABLE proposal_decision (
	number INTEGER NOT NULL,
	approved BOOLEAN NOT NULL,
	digest BLOB NOT NULL,
	reason VARCHAR NOT NULL,
	officer VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (number),
	FOREIGN KEY(number) REFERENCES proposal (number),
	FOREIGN KEY(officer) REFERENCES officer (name),
	CONSTRAINT digest_is_32_bytes CHECK (length(digest) = 32)
)

CREATE TABLE suspense_resolution (
	terminal_id VARCHAR(8) NOT NULL,
	mid BLOB NOT NULL,
	batch INTEGER NOT NULL,
	stan INTEGER NOT NULL,
	cid BLOB NOT NULL,
	otc INTEGER NOT NULL,
	outcome VARCHAR NOT NULL,
	account_id INTEGER,
	proposal INTEGER NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (terminal_id, mid, batch, stan),
	FOREIGN KEY(terminal_id, mid, batch, stan) REFERENCES record (terminal_id, mid, batch, stan),
	CONSTRAINT outcome_known CHECK ((outcome IN ('paid', 'returned', 'accepted')) = (account_id IS NOT NULL) AND outcome IN ('paid', 'returned', 'accepted', 'written off')),
	FOREIGN KEY(account_id) REFERENCES account (id),
	UNIQUE (proposal),
	FOREIGN KEY(proposal) REFERENCES proposal (number),
	CONSTRAINT mid_is_8_bytes CHECK (length(mid) = 8),
	CONSTRAINT cid_is_8_bytes CHECK (length(cid) = 8)
)

CREATE TABLE correction_decision (
	number INTEGER NOT NULL,
	decision VARCHAR NOT NULL,
	reason VARCHAR NOT NULL,
	decided_by VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (number),
	CONSTRAINT decision_known CHECK (decision IN ('approved', 'rejected')),
	FOREIGN KEY(number) REFERENCES correction (number)
)

CREATE TABLE officer_attempt (
	name VARCHAR NOT NULL,
	serial INTEGER NOT NULL,
	good BOOLEAN NOT NULL,
	password INTEGER NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (name, serial),
	FOREIGN KEY(name, password) REFERENCES officer_password (name, serial),
	FOREIGN KEY(name) REFERENCES officer (name)
)

CREATE TABLE deposit_order (
	number INTEGER NOT NULL,
	office VARCHAR NOT NULL,
	order_number VARCHAR NOT NULL,
	action VARCHAR NOT NULL,
	cid BLOB NOT NULL,
	otc INTEGER NOT NULL,
	origin_id INTEGER NOT NULL,
	amount_minor INTEGER NOT NULL,
	currency INTEGER NOT NULL,
	whole BOOLEAN NOT NULL,
	officer VARCHAR NOT NULL,
	noted_by VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (number),
	UNIQUE (office, order_number),
	FOREIGN KEY(cid, otc) REFERENCES payment (cid, otc),
	CONSTRAINT amount_more_than_zero CHECK (amount_minor > 0),
	CONSTRAINT action_known CHECK (action IN ('deposit refund', 'deposit forfeiture')),
	FOREIGN KEY(origin_id) REFERENCES entry (id),
	CONSTRAINT cid_is_8_bytes CHECK (length(cid) = 8)
)

CREATE INDEX deposit_order_by_origin ON deposit_order (origin_id)

CREATE TABLE request_event (
	id INTEGER NOT NULL,
	number VARCHAR NOT NULL,
	serial INTEGER NOT NULL,
	state VARCHAR NOT NULL,
	who VARCHAR NOT NULL,
	reason VARCHAR NOT NULL,
	cid BLOB,
	otc INTEGER,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (id),
	UNIQUE (number, serial),
	UNIQUE (cid, otc),
	FOREIGN KEY(cid, otc) REFERENCES payment (cid, otc),
	CONSTRAINT request_state_known CHECK (state IN ('new', 'paid', 'declined', 'cancelled')),
	CONSTRAINT request_paid_by_payment CHECK ((state = 'paid') = (cid IS NOT NULL) AND (cid IS NULL) = (otc IS NULL)),
	FOREIGN KEY(number) REFERENCES payment_request (number),
	CONSTRAINT cid_is_8_bytes CHECK (length(cid) = 8)
)

CREATE TABLE request_payment (
	cid BLOB NOT NULL,
	otc INTEGER NOT NULL,
	number VARCHAR NOT NULL,
	outcome VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (cid, otc),
	FOREIGN KEY(cid, otc) REFERENCES payment (cid, otc),
	CONSTRAINT request_outcome_known CHECK (outcome IN ('paid', 'over', 'under', 'differs', 'twice', 'not open')),
	FOREIGN KEY(number) REFERENCES payment_request (number),
	CONSTRAINT cid_is_8_bytes CHECK (length(cid) = 8)
)

CREATE INDEX request_payment_by_number ON request_payment (number)

CREATE TRIGGER office_no_update BEFORE UPDATE ON office
BEGIN
  SELECT RAISE(ABORT, 'office is append-only: correct it with a further row');
END

CREATE TRIGGER deposit_order_no_update BEFORE UPDATE ON deposit_order
BEGIN
  SELECT RAISE(ABORT, 'deposit_order is append-only: correct it with a further row');
END

CREATE TRIGGER tariff_no_update BEFORE UPDATE ON tariff
BEGIN
  SELECT RAISE(ABORT, 'tariff is append-only: correct it with a further row');
END

CREATE TRIGGER bank_fee_no_update BEFORE UPDATE ON bank_fee
BEGIN
  SELECT RAISE(ABORT, 'bank_fee is append-only: correct it with a further row');
END

CREATE TRIGGER correction_no_update BEFORE UPDATE ON correction
BEGIN
  SELECT RAISE(ABORT, 'correction is append-only: correct it with a further row');
END

CREATE TRIGGER correction_decision_no_update BEFORE UPDATE ON correction_decision
BEGIN
  SELECT RAISE(ABORT, 'correction_decision is append-only: correct it with a further row');
END

CREATE TRIGGER terminal_call_no_update BEFORE UPDATE ON terminal_call
BEGIN
  SELECT RAISE(ABORT, 'terminal_call is append-only: correct it with a further row');
END

CREATE TRIGGER officer_no_update BEFORE UPDATE ON officer
BEGIN
  SELECT RAISE(ABORT, 'officer is append-only: correct it with a further row');
END

CREATE TRIGGER officer_password_no_update BEFORE UPDATE ON officer_password
BEGIN
  SELECT RAISE(ABORT, 'officer_password is append-only: correct it with a further row');
END

CREATE TRIGGER officer_attempt_no_update BEFORE UPDATE ON officer_attempt
BEGIN
  SELECT RAISE(ABORT, 'officer_attempt is append-only: correct it with a further row');
END

CREATE TRIGGER officer_disabled_no_update BEFORE UPDATE ON officer_disabled
BEGIN
  SELECT RAISE(ABORT, 'officer_disabled is append-only: correct it with a further row');
END

CREATE TRIGGER proposal_no_update BEFORE UPDATE ON proposal
BEGIN
  SELECT RAISE(ABORT, 'proposal is append-only: correct it with a further row');
END

CREATE TRIGGER proposal_decision_no_update BEFORE UPDATE ON proposal_decision
BEGIN
  SELECT RAISE(ABORT, 'proposal_decision is append-only: correct it with a further row');
END

CREATE TRIGGER incident_evidence_no_update BEFORE UPDATE ON incident_evidence
BEGIN
  SELECT RAISE(ABORT, 'incident_evidence is append-only: correct it with a further row');
END

CREATE TRIGGER incident_work_no_update BEFORE UPDATE ON incident_work
BEGIN
  SELECT RAISE(ABORT, 'incident_work is append-only: correct it with a further row');
END

CREATE TRIGGER suspense_resolution_no_update BEFORE UPDATE ON suspense_resolution
BEGIN
  SELECT RAISE(ABORT, 'suspense_resolution is append-only: correct it with a further row');
END

CREATE TRIGGER hotlist_block_no_update BEFORE UPDATE ON hotlist_block
BEGIN
  SELECT RAISE(ABORT, 'hotlist_block is append-only: correct it with a further row');
END

CREATE TRIGGER payment_request_no_update BEFORE UPDATE ON payment_request
BEGIN
  SELECT RAISE(ABORT, 'payment_request is append-only: correct it with a further row');
END

CREATE TRIGGER request_event_no_update BEFORE UPDATE ON request_event
BEGIN
  SELECT RAISE(ABORT, 'request_event is append-only: correct it with a further row');
END

CREATE TRIGGER request_payment_no_update BEFORE UPDATE ON request_payment
BEGIN
  SELECT RAISE(ABORT, 'request_payment is append-only: correct it with a further row');
END

CREATE TRIGGER request_decline_no_update BEFORE UPDATE ON request_decline
BEGIN
  SELECT RAISE(ABORT, 'request_decline is append-only: correct it with a further row');
END

CREATE TRIGGER request_published_no_update BEFORE UPDATE ON request_published
BEGIN
  SELECT RAISE(ABORT, 'request_published is append-only: correct it with a further row');
END

CREATE TRIGGER request_snapshot_no_update BEFORE UPDATE ON request_snapshot
BEGIN
  SELECT RAISE(ABORT, 'request_snapshot is append-only: correct it with a further row');
END

CREATE TRIGGER api_token_no_update BEFORE UPDATE ON api_token
BEGIN
  SELECT RAISE(ABORT, 'api_token is append-only: correct it with a further row');
END

CREATE TRIGGER api_token_revoked_no_update BEFORE UPDATE ON api_token_revoked
BEGIN
  SELECT RAISE(ABORT, 'api_token_revoked is append-only: correct it with a further row');
END

CREATE TRIGGER api_reply_no_update BEFORE UPDATE ON api_reply
BEGIN
  SELECT RAISE(ABORT, 'api_reply is append-only: correct it with a further row');
END

CREATE TRIGGER office_no_delete BEFORE DELETE ON office
BEGIN
  SELECT RAISE(ABORT, 'office is append-only: correct it with a further row');
END

CREATE TRIGGER deposit_order_no_delete BEFORE DELETE ON deposit_order
BEGIN
  SELECT RAISE(ABORT, 'deposit_order is append-only: correct it with a further row');
END

CREATE TRIGGER tariff_no_delete BEFORE DELETE ON tariff
BEGIN
  SELECT RAISE(ABORT, 'tariff is append-only: correct it with a further row');
END

CREATE TRIGGER bank_fee_no_delete BEFORE DELETE ON bank_fee
BEGIN
  SELECT RAISE(ABORT, 'bank_fee is append-only: correct it with a further row');
END

CREATE TRIGGER correction_no_delete BEFORE DELETE ON correction
BEGIN
  SELECT RAISE(ABORT, 'correction is append-only: correct it with a further row');
END

CREATE TRIGGER correction_decision_no_delete BEFORE DELETE ON correction_decision
BEGIN
  SELECT RAISE(ABORT, 'correction_decision is append-only: correct it with a further row');
END

CREATE TRIGGER terminal_call_no_delete BEFORE DELETE ON terminal_call
BEGIN
  SELECT RAISE(ABORT, 'terminal_call is append-only: correct it with a further row');
END

CREATE TRIGGER officer_no_delete BEFORE DELETE ON officer
BEGIN
  SELECT RAISE(ABORT, 'officer is append-only: correct it with a further row');
END

CREATE TRIGGER officer_password_no_delete BEFORE DELETE ON officer_password
BEGIN
  SELECT RAISE(ABORT, 'officer_password is append-only: correct it with a further row');
END

CREATE TRIGGER officer_attempt_no_delete BEFORE DELETE ON officer_attempt
BEGIN
  SELECT RAISE(ABORT, 'officer_attempt is append-only: correct it with a further row');
END

CREATE TRIGGER officer_disabled_no_delete BEFORE DELETE ON officer_disabled
BEGIN
  SELECT RAISE(ABORT, 'officer_disabled is append-only: correct it with a further row');
END

CREATE TRIGGER proposal_no_delete BEFORE DELETE ON proposal
BEGIN
  SELECT RAISE(ABORT, 'proposal is append-only: correct it with a further row');
END

CREATE TRIGGER proposal_decision_no_delete BEFORE DELETE ON proposal_decision
BEGIN
  SELECT RAISE(ABORT, 'proposal_decision is append-only: correct it with a further row');
END

CREATE TRIGGER incident_evidence_no_delete BEFORE DELETE ON incident_evidence
BEGIN
  SELECT RAISE(ABORT, 'incident_evidence is append-only: correct it with a further row');
END

CREATE TRIGGER incident_work_no_delete BEFORE DELETE ON incident_work
BEGIN
  SELECT RAISE(ABORT, 'incident_work is append-only: correct it with a further row');
END

CREATE TRIGGER suspense_resolution_no_delete BEFORE DELETE ON suspense_resolution
BEGIN
  SELECT RAISE(ABORT, 'suspense_resolution is append-only: correct it with a further row');
END

CREATE TRIGGER hotlist_block_no_delete BEFORE DELETE ON hotlist_block
BEGIN
  SELECT RAISE(ABORT, 'hotlist_block is append-only: correct it with a further row');
END

CREATE TRIGGER payment_request_no_delete BEFORE DELETE ON payment_request
BEGIN
  SELECT RAISE(ABORT, 'payment_request is append-only: correct it with a further row');
END

CREATE TRIGGER request_event_no_delete BEFORE DELETE ON request_event
BEGIN
  SELECT RAISE(ABORT, 'request_event is append-only: correct it with a further row');
END

CREATE TRIGGER request_payment_no_delete BEFORE DELETE ON request_payment
BEGIN
  SELECT RAISE(ABORT, 'request_payment is append-only: correct it with a further row');
END

CREATE TRIGGER request_decline_no_delete BEFORE DELETE ON request_decline
BEGIN
  SELECT RAISE(ABORT, 'request_decline is append-only: correct it with a further row');
END

CREATE TRIGGER request_published_no_delete BEFORE DELETE ON request_published
BEGIN
  SELECT RAISE(ABORT, 'request_published is append-only: correct it with a further row');
END

CREATE TRIGGER request_snapshot_no_delete BEFORE DELETE ON request_snapshot
BEGIN
  SELECT RAISE(ABORT, 'request_snapshot is append-only: correct it with a further row');
END

CREATE TRIGGER api_token_no_delete BEFORE DELETE ON api_token
BEGIN
  SELECT RAISE(ABORT, 'api_token is append-only: correct it with a further row');
END

CREATE TRIGGER api_token_revoked_no_delete BEFORE DELETE ON api_token_revoked
BEGIN
  SELECT RAISE(ABORT, 'api_token_revoked is append-only: correct it with a further row');
END

CREATE TRIGGER api_reply_no_delete BEFORE DELETE ON api_reply
BEGIN
  SELECT RAISE(ABORT, 'api_reply is append-only: correct it with a further row');
END

CREATE TRIGGER office_no_replace BEFORE INSERT ON office WHEN EXISTS (SELECT 1 FROM office WHERE code = NEW.code AND serial = NEW.serial)
BEGIN
  SELECT RAISE(ABORT, 'office is append-only: this key is taken');
END

CREATE TRIGGER deposit_order_no_replace BEFORE INSERT ON deposit_order WHEN EXISTS (SELECT 1 FROM deposit_order WHERE number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'deposit_order is append-only: this key is taken');
END

CREATE TRIGGER tariff_no_replace BEFORE INSERT ON tariff WHEN EXISTS (SELECT 1 FROM tariff WHERE code = NEW.code AND currency = NEW.currency AND serial = NEW.serial)
BEGIN
  SELECT RAISE(ABORT, 'tariff is append-only: this key is taken');
END

CREATE TRIGGER bank_fee_no_replace BEFORE INSERT ON bank_fee WHEN EXISTS (SELECT 1 FROM bank_fee WHERE number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'bank_fee is append-only: this key is taken');
END

CREATE TRIGGER correction_no_replace BEFORE INSERT ON correction WHEN EXISTS (SELECT 1 FROM correction WHERE number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'correction is append-only: this key is taken');
END

CREATE TRIGGER correction_decision_no_replace BEFORE INSERT ON correction_decision WHEN EXISTS (SELECT 1 FROM correction_decision WHERE number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'correction_decision is append-only: this key is taken');
END

CREATE TRIGGER terminal_call_no_replace BEFORE INSERT ON terminal_call WHEN EXISTS (SELECT 1 FROM terminal_call WHERE terminal_id = NEW.terminal_id AND serial = NEW.serial)
BEGIN
  SELECT RAISE(ABORT, 'terminal_call is append-only: this key is taken');
END

CREATE TRIGGER officer_no_replace BEFORE INSERT ON officer WHEN EXISTS (SELECT 1 FROM officer WHERE name = NEW.name)
BEGIN
  SELECT RAISE(ABORT, 'officer is append-only: this key is taken');
END

CREATE TRIGGER officer_password_no_replace BEFORE INSERT ON officer_password WHEN EXISTS (SELECT 1 FROM officer_password WHERE name = NEW.name AND serial = NEW.serial)
BEGIN
  SELECT RAISE(ABORT, 'officer_password is append-only: this key is taken');
END

CREATE TRIGGER officer_attempt_no_replace BEFORE INSERT ON officer_attempt WHEN EXISTS (SELECT 1 FROM officer_attempt WHERE name = NEW.name AND serial = NEW.serial)
BEGIN
  SELECT RAISE(ABORT, 'officer_attempt is append-only: this key is taken');
END

CREATE TRIGGER officer_disabled_no_replace BEFORE INSERT ON officer_disabled WHEN EXISTS (SELECT 1 FROM officer_disabled WHERE name = NEW.name)
BEGIN
  SELECT RAISE(ABORT, 'officer_disabled is append-only: this key is taken');
END

CREATE TRIGGER proposal_no_replace BEFORE INSERT ON proposal WHEN EXISTS (SELECT 1 FROM proposal WHERE number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'proposal is append-only: this key is taken');
END

CREATE TRIGGER proposal_decision_no_replace BEFORE INSERT ON proposal_decision WHEN EXISTS (SELECT 1 FROM proposal_decision WHERE number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'proposal_decision is append-only: this key is taken');
END

CREATE TRIGGER incident_evidence_no_replace BEFORE INSERT ON incident_evidence WHEN EXISTS (SELECT 1 FROM incident_evidence WHERE incident_id = NEW.incident_id AND serial = NEW.serial)
BEGIN
  SELECT RAISE(ABORT, 'incident_evidence is append-only: this key is taken');
END

CREATE TRIGGER incident_work_no_replace BEFORE INSERT ON incident_work WHEN EXISTS (SELECT 1 FROM incident_work WHERE incident_id = NEW.incident_id AND serial = NEW.serial)
BEGIN
  SELECT RAISE(ABORT, 'incident_work is append-only: this key is taken');
END

CREATE TRIGGER suspense_resolution_no_replace BEFORE INSERT ON suspense_resolution WHEN EXISTS (SELECT 1 FROM suspense_resolution WHERE terminal_id = NEW.terminal_id AND mid = NEW.mid AND batch = NEW.batch AND stan = NEW.stan)
BEGIN
  SELECT RAISE(ABORT, 'suspense_resolution is append-only: this key is taken');
END

CREATE TRIGGER hotlist_block_no_replace BEFORE INSERT ON hotlist_block WHEN EXISTS (SELECT 1 FROM hotlist_block WHERE cid = NEW.cid AND serial = NEW.serial)
BEGIN
  SELECT RAISE(ABORT, 'hotlist_block is append-only: this key is taken');
END

CREATE TRIGGER payment_request_no_replace BEFORE INSERT ON payment_request WHEN EXISTS (SELECT 1 FROM payment_request WHERE number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'payment_request is append-only: this key is taken');
END

CREATE TRIGGER request_event_no_replace BEFORE INSERT ON request_event WHEN EXISTS (SELECT 1 FROM request_event WHERE id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'request_event is append-only: this key is taken');
END

CREATE TRIGGER request_payment_no_replace BEFORE INSERT ON request_payment WHEN EXISTS (SELECT 1 FROM request_payment WHERE cid = NEW.cid AND otc = NEW.otc)
BEGIN
  SELECT RAISE(ABORT, 'request_payment is append-only: this key is taken');
END

CREATE TRIGGER request_decline_no_replace BEFORE INSERT ON request_decline WHEN EXISTS (SELECT 1 FROM request_decline WHERE terminal_id = NEW.terminal_id AND content = NEW.content)
BEGIN
  SELECT RAISE(ABORT, 'request_decline is append-only: this key is taken');
END

CREATE TRIGGER request_published_no_replace BEFORE INSERT ON request_published WHEN EXISTS (SELECT 1 FROM request_published WHERE office = NEW.office AND version = NEW.version AND number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'request_published is append-only: this key is taken');
END

CREATE TRIGGER request_snapshot_no_replace BEFORE INSERT ON request_snapshot WHEN EXISTS (SELECT 1 FROM request_snapshot WHERE office = NEW.office AND version = NEW.version)
BEGIN
  SELECT RAISE(ABORT, 'request_snapshot is append-only: this key is taken');
END

CREATE TRIGGER api_token_no_replace BEFORE INSERT ON api_token WHEN EXISTS (SELECT 1 FROM api_token WHERE id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'api_token is append-only: this key is taken');
END

CREATE TRIGGER api_token_revoked_no_replace BEFORE INSERT ON api_token_revoked WHEN EXISTS (SELECT 1 FROM api_token_revoked WHERE token_id = NEW.token_id)
BEGIN
  SELECT RAISE(ABORT, 'api_token_revoked is append-only: this key is taken');
END

CREATE TRIGGER api_reply_no_replace BEFORE INSERT ON api_reply WHEN EXISTS (SELECT 1 FROM api_reply WHERE token_id = NEW.token_id AND idempotency_key = NEW.idempotency_key)
BEGIN
  SELECT RAISE(ABORT, 'api_reply is append-only: this key is taken');
END

CREATE TRIGGER deposit_order_once BEFORE INSERT ON deposit_order
WHEN EXISTS (SELECT 1 FROM deposit_order WHERE office = NEW.office AND order_number = NEW.order_number)
BEGIN
  SELECT RAISE(ABORT, 'deposit_order is append-only: this was noted already');
END

CREATE TRIGGER bank_fee_once BEFORE INSERT ON bank_fee
WHEN EXISTS (SELECT 1 FROM bank_fee WHERE code = NEW.code AND subject = NEW.subject AND event = NEW.event)
BEGIN
  SELECT RAISE(ABORT, 'bank_fee is append-only: this was noted already');
END

CREATE TRIGGER entry_sides BEFORE INSERT ON entry
BEGIN
  SELECT RAISE(ABORT, 'this kind of entry does not move money between these accounts')
  WHERE EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
    WHERE leg.entry_id = NEW.id AND NOT (
         (NEW.kind = 'opening deposit' AND (leg.debit_minor > 0 AND account.kind IN ('core-bank clearing') OR leg.credit_minor > 0 AND account.kind IN ('customer')))
      OR (NEW.kind = 'deposit' AND (leg.debit_minor > 0 AND account.kind IN ('core-bank clearing') OR leg.credit_minor > 0 AND account.kind IN ('customer')))
      OR (NEW.kind = 'load' AND (leg.debit_minor > 0 AND account.kind IN ('customer') OR leg.credit_minor > 0 AND account.kind IN ('purse float')))
      OR (NEW.kind = 'load reversal' AND (leg.debit_minor > 0 AND account.kind IN ('purse float') OR leg.credit_minor > 0 AND account.kind IN ('customer')))
      OR (NEW.kind = 'payment' AND (leg.debit_minor > 0 AND account.kind IN ('purse float') OR leg.credit_minor > 0 AND account.kind IN ('customs deposits', 'customs revenue', 'merchant', 'suspense')))
      OR (NEW.kind = 'deposit refund' AND (leg.debit_minor > 0 AND account.kind IN ('customs deposits') OR leg.credit_minor > 0 AND account.kind IN ('customer')))
      OR (NEW.kind = 'deposit forfeiture' AND (leg.debit_minor > 0 AND account.kind IN ('customs deposits') OR leg.credit_minor > 0 AND account.kind IN ('customs revenue')))
      OR (NEW.kind = 'bank fee' AND (leg.debit_minor > 0 AND account.kind IN ('customer') OR leg.credit_minor > 0 AND account.kind IN ('bank fees')))
      OR (NEW.kind = 'bank fee reversal' AND (leg.debit_minor > 0 AND account.kind IN ('bank fees') OR leg.credit_minor > 0 AND account.kind IN ('customer')))
      OR (NEW.kind = 'suspense resolution' AND (leg.debit_minor > 0 AND account.kind IN ('suspense') OR leg.credit_minor > 0 AND account.kind IN ('customer', 'customs deposits', 'customs revenue', 'merchant')))
      OR (NEW.kind = 'correction' AND (leg.debit_minor > 0 AND account.kind IN ('bank fees', 'customer', 'customs deposits', 'customs revenue', 'merchant') OR leg.credit_minor > 0 AND account.kind IN ('bank fees', 'core-bank clearing', 'customer', 'customs deposits', 'customs revenue', 'merchant')))));
END

CREATE TRIGGER account_of_office BEFORE INSERT ON account
WHEN NEW.kind IN ('customs deposits', 'customs revenue', 'merchant')
BEGIN
  SELECT RAISE(ABORT, 'an account of an office needs that office, in its currency')
  WHERE NOT EXISTS (SELECT 1 FROM office
                    WHERE code = NEW.owner AND currency = NEW.currency);
END

CREATE TRIGGER office_currency BEFORE INSERT ON office
BEGIN
  SELECT RAISE(ABORT, 'an office keeps its currency')
  WHERE EXISTS (SELECT 1 FROM office
                WHERE code = NEW.code AND currency <> NEW.currency);
END

CREATE TRIGGER deposit_order_of_payment BEFORE INSERT ON deposit_order
BEGIN
  SELECT RAISE(ABORT, 'an order names the entry of its payment')
  WHERE NOT EXISTS (SELECT 1 FROM entry
                    WHERE id = NEW.origin_id AND kind = 'payment'
                      AND cid = NEW.cid AND number = NEW.otc
                      AND currency = NEW.currency);
END

CREATE TRIGGER entry_of_deposit_order BEFORE INSERT ON entry
WHEN NEW.kind IN ('deposit forfeiture', 'deposit refund')
BEGIN
  SELECT RAISE(ABORT, 'a deposit moves only on an order of customs')
  WHERE NOT EXISTS (SELECT 1 FROM deposit_order
                    WHERE number = NEW.number AND action = NEW.kind
                      AND office = NEW.subject AND cid = NEW.cid
                      AND amount_minor = NEW.amount_minor
                      AND currency = NEW.currency);
  SELECT RAISE(ABORT, 'a deposit is taken from the office that holds it')
  WHERE NOT EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                    WHERE leg.entry_id = NEW.id
                      AND leg.debit_minor = NEW.amount_minor
                      AND account.kind = 'customs deposits'
                      AND account.owner = NEW.subject);
  SELECT RAISE(ABORT, 'a deposit is refunded to the card''s holder')
  WHERE NEW.kind = 'deposit refund'
    AND NOT EXISTS (SELECT 1 FROM leg JOIN purse ON purse.account_id = leg.account_id
                    WHERE leg.entry_id = NEW.id AND purse.cid = NEW.cid
                      AND leg.credit_minor = NEW.amount_minor);
  SELECT RAISE(ABORT, 'a deposit is forfeited to the office that held it')
  WHERE NEW.kind = 'deposit forfeiture'
    AND NOT EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                    WHERE leg.entry_id = NEW.id
                      AND leg.credit_minor = NEW.amount_minor
                      AND account.kind = 'customs revenue'
                      AND account.owner = NEW.subject);
END

CREATE TRIGGER entry_takes_deposit BEFORE INSERT ON entry WHEN NEW.kind IN ('deposit forfeiture', 'deposit refund')
BEGIN
  SELECT RAISE(ABORT, 'no more can be taken than is left there')
  WHERE EXISTS (SELECT 1 FROM leg AS taken
    WHERE taken.entry_id = NEW.id AND taken.debit_minor > 0 AND taken.debit_minor > (
      SELECT COALESCE(SUM(there.credit_minor - there.debit_minor), 0)
      FROM leg AS there
      WHERE there.account_id = taken.account_id AND there.entry_id IN (
        SELECT (SELECT origin_id FROM deposit_order WHERE number = NEW.number)
        UNION SELECT entry.id FROM entry JOIN deposit_order
          ON entry.kind = deposit_order.action
         AND entry.subject = deposit_order.office
         AND entry.number = deposit_order.number
          WHERE deposit_order.origin_id = (SELECT origin_id FROM deposit_order WHERE number = NEW.number)
        UNION SELECT entry.id FROM entry JOIN correction
          ON entry.kind = 'correction' AND entry.subject = 'bank'
         AND entry.number = correction.number
          WHERE correction.origin_id = (SELECT origin_id FROM deposit_order WHERE number = NEW.number)
        UNION SELECT back.id FROM entry AS back JOIN entry AS fee
          ON back.kind = 'bank fee reversal' AND fee.kind = 'bank fee'
         AND back.subject = fee.subject AND back.number = fee.number
          WHERE fee.id = (SELECT origin_id FROM deposit_order WHERE number = NEW.number))));
END

CREATE TRIGGER entry_takes_correction BEFORE INSERT ON entry WHEN NEW.kind IN ('correction')
BEGIN
  SELECT RAISE(ABORT, 'no more can be taken than is left there')
  WHERE EXISTS (SELECT 1 FROM leg AS taken
    WHERE taken.entry_id = NEW.id AND taken.debit_minor > 0 AND taken.debit_minor > (
      SELECT COALESCE(SUM(there.credit_minor - there.debit_minor), 0)
      FROM leg AS there
      WHERE there.account_id = taken.account_id AND there.entry_id IN (
        SELECT (SELECT origin_id FROM correction WHERE number = NEW.number)
        UNION SELECT entry.id FROM entry JOIN deposit_order
          ON entry.kind = deposit_order.action
         AND entry.subject = deposit_order.office
         AND entry.number = deposit_order.number
          WHERE deposit_order.origin_id = (SELECT origin_id FROM correction WHERE number = NEW.number)
        UNION SELECT entry.id FROM entry JOIN correction
          ON entry.kind = 'correction' AND entry.subject = 'bank'
         AND entry.number = correction.number
          WHERE correction.origin_id = (SELECT origin_id FROM correction WHERE number = NEW.number)
        UNION SELECT back.id FROM entry AS back JOIN entry AS fee
          ON back.kind = 'bank fee reversal' AND fee.kind = 'bank fee'
         AND back.subject = fee.subject AND back.number = fee.number
          WHERE fee.id = (SELECT origin_id FROM correction WHERE number = NEW.number))));
END

CREATE TRIGGER entry_of_fee BEFORE INSERT ON entry WHEN NEW.kind = 'bank fee'
BEGIN
  SELECT RAISE(ABORT, 'a fee is charged once, by the tariff, to the account it names')
  WHERE NOT EXISTS (SELECT 1 FROM bank_fee
                    JOIN leg ON leg.account_id = bank_fee.account_id
                    WHERE bank_fee.number = NEW.number
                      AND bank_fee.amount_minor = NEW.amount_minor
                      AND bank_fee.currency = NEW.currency
                      AND leg.entry_id = NEW.id
                      AND leg.debit_minor = NEW.amount_minor);
END

CREATE TRIGGER fee_by_tariff BEFORE INSERT ON bank_fee
BEGIN
  SELECT RAISE(ABORT, 'a fee is what the tariff says')
  WHERE NOT EXISTS (SELECT 1 FROM tariff
                    WHERE code = NEW.code AND currency = NEW.currency
                      AND serial = NEW.tariff_serial
                      AND amount_minor = NEW.amount_minor);
END

CREATE TRIGGER entry_of_fee_reversal BEFORE INSERT ON entry
WHEN NEW.kind = 'bank fee reversal'
BEGIN
  SELECT RAISE(ABORT, 'the fee of a load goes back only when the purse voided it')
  WHERE NOT EXISTS (SELECT 1 FROM bank_fee
                    JOIN load_outcome AS outcome
                      ON hex(outcome.cid) = bank_fee.subject
                     AND outcome.ltc = bank_fee.event
                    JOIN leg ON leg.account_id = bank_fee.account_id
                    WHERE bank_fee.number = NEW.number AND bank_fee.code = 'load'
                      AND bank_fee.amount_minor = NEW.amount_minor
                      AND bank_fee.currency = NEW.currency
                      AND outcome.outcome = 'voided'
                      AND leg.entry_id = NEW.id
                      AND leg.credit_minor = NEW.amount_minor);
END

CREATE TRIGGER correction_of_entry BEFORE INSERT ON correction
BEGIN
  SELECT RAISE(ABORT, 'an entry of this kind is not corrected')
  WHERE NOT EXISTS (SELECT 1 FROM entry
                    WHERE id = NEW.entry_id AND currency = NEW.currency
                      AND kind IN ('bank fee', 'correction', 'deposit', 'deposit forfeiture', 'deposit refund', 'opening deposit', 'payment', 'suspense resolution'));
  SELECT RAISE(ABORT, 'a correction names the entry with which the money came')
  WHERE NEW.origin_id <> COALESCE(
    (SELECT earlier.origin_id FROM entry JOIN correction AS earlier
       ON entry.kind = 'correction' AND earlier.number = entry.number
      WHERE entry.id = NEW.entry_id),
    (SELECT deposit_order.origin_id FROM entry JOIN deposit_order
       ON deposit_order.action = entry.kind
      AND deposit_order.office = entry.subject
      AND deposit_order.number = entry.number
      WHERE entry.id = NEW.entry_id),
    NEW.entry_id);
END

CREATE TRIGGER correction_by_two BEFORE INSERT ON correction_decision
WHEN NEW.decision = 'approved'
BEGIN
  SELECT RAISE(ABORT, 'nobody approves what he has proposed himself')
  WHERE EXISTS (SELECT 1 FROM correction
                WHERE number = NEW.number
                  AND lower(proposed_by) = lower(NEW.decided_by));
END

CREATE TRIGGER entry_of_correction BEFORE INSERT ON entry
WHEN NEW.kind = 'correction'
BEGIN
  SELECT RAISE(ABORT, 'a correction is booked only when a second officer approved it')
  WHERE NOT EXISTS (SELECT 1 FROM correction
                    JOIN correction_decision AS decided
                      ON decided.number = correction.number
                    JOIN leg AS debited
                      ON debited.account_id = correction.debit_account_id
                    JOIN leg AS credited
                      ON credited.account_id = correction.credit_account_id
                    WHERE correction.number = NEW.number AND NEW.subject = 'bank'
                      AND decided.decision = 'approved'
                      AND correction.amount_minor = NEW.amount_minor
                      AND correction.currency = NEW.currency
                      AND debited.entry_id = NEW.id
                      AND debited.debit_minor = NEW.amount_minor
                      AND credited.entry_id = NEW.id
                      AND credited.credit_minor = NEW.amount_minor);
END

DROP TRIGGER payment_on_tac

CREATE TRIGGER payment_on_tac BEFORE INSERT ON payment
BEGIN
  SELECT RAISE(ABORT, 'a payment is posted only on its verified TAC')
  WHERE NOT EXISTS (SELECT 1 FROM record
                    WHERE terminal_id = NEW.terminal_id AND mid = NEW.mid
                      AND batch = NEW.batch AND stan = NEW.stan
                      AND cid = NEW.cid AND otc = NEW.otc
                      AND amount_minor = NEW.amount_minor
                      AND evidence = NEW.evidence AND tac = NEW.tac
                      AND tac_verified
                      AND decision IN ('posted', 'held'))
    -- Or its TAC was verified later, with a key that the bank did not have then.
    AND NOT EXISTS (SELECT 1 FROM record
                    JOIN suspense_resolution AS ended
                      ON ended.terminal_id = record.terminal_id
                     AND ended.mid = record.mid AND ended.batch = record.batch
                     AND ended.stan = record.stan
                    WHERE record.terminal_id = NEW.terminal_id
                      AND record.mid = NEW.mid AND record.batch = NEW.batch
                      AND record.stan = NEW.stan
                      AND record.cid = NEW.cid AND record.otc = NEW.otc
                      AND record.amount_minor = NEW.amount_minor
                      AND record.evidence = NEW.evidence AND record.tac = NEW.tac
                      AND record.decision = 'suspended'
                      AND ended.outcome = 'accepted');
END

CREATE TRIGGER proposal_by_officer BEFORE INSERT ON proposal
BEGIN
  SELECT RAISE(ABORT, 'a proposal is made by an officer who is not disabled')
  WHERE EXISTS (SELECT 1 FROM officer_disabled WHERE name = NEW.officer);
  SELECT RAISE(ABORT, 'there is an undecided proposal about this already')
  WHERE EXISTS (SELECT 1 FROM proposal AS other
                WHERE other.kind = NEW.kind AND other.subject = NEW.subject
                  AND NOT EXISTS (SELECT 1 FROM proposal_decision AS decided
                                  WHERE decided.number = other.number));
END

CREATE TRIGGER proposal_decided_by_another BEFORE INSERT ON proposal_decision
BEGIN
  SELECT RAISE(ABORT, 'nobody approves a proposal of his or her own')
  WHERE NEW.approved
    AND EXISTS (SELECT 1 FROM proposal
                WHERE number = NEW.number AND officer = NEW.officer);
  SELECT RAISE(ABORT, 'a proposal is approved by a supervisor or a security officer')
  WHERE NEW.approved
    AND NOT EXISTS (SELECT 1 FROM officer
                    WHERE name = NEW.officer AND role IN ('supervisor', 'security'));
  SELECT RAISE(ABORT, 'a proposal is decided by an officer who is not disabled')
  WHERE EXISTS (SELECT 1 FROM officer_disabled WHERE name = NEW.officer);
  SELECT RAISE(ABORT, 'what is decided is not what was proposed')
  WHERE NOT EXISTS (SELECT 1 FROM proposal
                    WHERE number = NEW.number AND digest = NEW.digest);
END

CREATE TRIGGER officer_added_by_two BEFORE INSERT ON officer
WHEN NEW.proposal IS NOT NULL
  OR (SELECT COUNT(*) FROM officer WHERE role = 'security'
        AND NOT EXISTS (SELECT 1 FROM officer_disabled AS gone
                        WHERE gone.name = officer.name)) >= 2
BEGIN
  SELECT RAISE(ABORT, 'officers are managed by two security officers together')
  WHERE NOT EXISTS (SELECT 1 FROM proposal
                    JOIN proposal_decision AS decided
                      ON decided.number = proposal.number AND decided.approved
                    WHERE proposal.number = NEW.proposal
                      AND proposal.kind = 'officer' AND proposal.subject = NEW.name);
END

CREATE TRIGGER officer_disabled_by_two BEFORE INSERT ON officer_disabled
BEGIN
  SELECT RAISE(ABORT, 'officers are managed by two security officers together')
  WHERE NOT EXISTS (SELECT 1 FROM proposal
                    JOIN proposal_decision AS decided
                      ON decided.number = proposal.number AND decided.approved
                    WHERE proposal.number = NEW.proposal
                      AND proposal.kind = 'officer' AND proposal.subject = NEW.name);
END

CREATE TRIGGER officer_password_by_two BEFORE INSERT ON officer_password
WHEN NEW.proposal IS NOT NULL
BEGIN
  SELECT RAISE(ABORT, 'officers are managed by two security officers together')
  WHERE NOT EXISTS (SELECT 1 FROM proposal
                    JOIN proposal_decision AS decided
                      ON decided.number = proposal.number AND decided.approved
                    WHERE proposal.number = NEW.proposal
                      AND proposal.kind = 'officer' AND proposal.subject = NEW.name);
END

CREATE TRIGGER incident_work_while_open BEFORE INSERT ON incident_work
BEGIN
  SELECT RAISE(ABORT, 'the incident is closed: only notes are added')
  WHERE NEW.kind <> 'noted'
    AND EXISTS (SELECT 1 FROM incident_closed WHERE incident_id = NEW.incident_id);
  SELECT RAISE(ABORT, 'nothing is accepted from a disabled officer')
  WHERE EXISTS (SELECT 1 FROM officer_disabled WHERE name = NEW.officer);
END

CREATE TRIGGER incident_closed_by_somebody BEFORE INSERT ON incident_closed
BEGIN
  SELECT RAISE(ABORT, 'an incident closes by an officer, or by what it waited for')
  WHERE NOT EXISTS (SELECT 1 FROM incident_work
                    WHERE incident_id = NEW.incident_id AND kind = 'resolved')
    AND NOT EXISTS (SELECT 1 FROM incident
                    WHERE id = NEW.incident_id
                      AND code IN ('outcome open', 'batch incomplete'));
END

CREATE TRIGGER suspense_resolved_by_two BEFORE INSERT ON suspense_resolution
BEGIN
  SELECT RAISE(ABORT, 'suspense is resolved by two officers who agree on it')
  WHERE NOT EXISTS (
    SELECT 1 FROM proposal
    JOIN proposal_decision AS decided ON decided.number = proposal.number
    JOIN record ON record.terminal_id = NEW.terminal_id AND record.mid = NEW.mid
      AND record.batch = NEW.batch AND record.stan = NEW.stan
    LEFT JOIN account ON account.id = NEW.account_id
    WHERE proposal.number = NEW.proposal AND proposal.kind = 'suspense'
      AND decided.approved AND decided.officer <> proposal.officer
      AND proposal.subject = NEW.terminal_id || '/' || hex(NEW.mid) || '/'
                             || NEW.batch || '/' || NEW.stan
      -- `settlement.suspense.resolution_document`, in its one form of JSON.
      AND proposal.document = '{"account":'
        || CASE WHEN NEW.account_id IS NULL THEN 'null' ELSE
             '{"currency":' || account.currency || ',"kind":"' || account.kind
             || '","owner":"' || account.owner || '"}' END
        || ',"amount_minor":' || record.amount_minor
        || ',"evidence":"' || hex(record.evidence)
        || '","outcome":"' || NEW.outcome || '"}');
  SELECT RAISE(ABORT, 'only what waits in suspense is resolved, in a way that fits')
  WHERE NOT EXISTS (
    SELECT 1 FROM record
    WHERE terminal_id = NEW.terminal_id AND mid = NEW.mid AND batch = NEW.batch
      AND stan = NEW.stan AND cid = NEW.cid AND otc = NEW.otc
      AND ((decision = 'held' AND NEW.outcome IN ('paid', 'returned'))
        OR (decision = 'suspended' AND NEW.outcome IN ('accepted', 'written off'))));
END

CREATE TRIGGER entry_of_suspense BEFORE INSERT ON entry
WHEN NEW.kind = 'suspense resolution'
BEGIN
  SELECT RAISE(ABORT, 'what is in suspense leaves it only as two officers decided')
  WHERE NOT EXISTS (
    SELECT 1 FROM suspense_resolution AS ended
    JOIN record ON record.terminal_id = ended.terminal_id
      AND record.mid = ended.mid AND record.batch = ended.batch
      AND record.stan = ended.stan
    WHERE ended.cid = NEW.cid AND hex(ended.cid) = NEW.subject
      AND ended.otc = NEW.number AND ended.outcome IN ('paid', 'returned')
      AND record.amount_minor = NEW.amount_minor
      AND (SELECT COUNT(*) FROM leg WHERE entry_id = NEW.id) = 2
      AND EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                  WHERE leg.entry_id = NEW.id AND account.kind = 'suspense'
                    AND leg.debit_minor = NEW.amount_minor)
      AND EXISTS (SELECT 1 FROM leg
                  WHERE leg.entry_id = NEW.id AND leg.account_id = ended.account_id
                    AND leg.credit_minor = NEW.amount_minor));
END

CREATE TRIGGER request_begins BEFORE INSERT ON request_event WHEN NEW.serial = 1
BEGIN
  SELECT RAISE(ABORT, 'a payment request begins as new')
  WHERE NEW.state <> 'new';
END

CREATE TRIGGER request_moves BEFORE INSERT ON request_event WHEN NEW.serial <> 1
BEGIN
  SELECT RAISE(ABORT, 'a payment request that is not new cannot move any more')
  WHERE NOT EXISTS (SELECT 1 FROM request_event
                    WHERE number = NEW.number AND serial = NEW.serial - 1
                      AND ((state = 'new' AND NEW.state = 'cancelled') OR (state = 'new' AND NEW.state = 'declined') OR (state = 'new' AND NEW.state = 'paid')));
END

CREATE TRIGGER request_paid BEFORE INSERT ON request_event WHEN NEW.state = 'paid'
BEGIN
  SELECT RAISE(ABORT, 'a payment request is paid by a posted payment, in full')
  WHERE NOT EXISTS (SELECT 1 FROM payment
                    JOIN record
                      ON record.terminal_id = payment.terminal_id
                     AND record.mid = payment.mid
                     AND record.batch = payment.batch
                     AND record.stan = payment.stan
                    JOIN payment_request AS request ON request.number = NEW.number
                    WHERE payment.cid = NEW.cid AND payment.otc = NEW.otc
                      AND record.decision = 'posted'
                      AND payment.currency = request.currency
                      AND payment.amount_minor >= request.amount_minor);
END

CREATE TRIGGER request_declined BEFORE INSERT ON request_event
WHEN NEW.state = 'declined'
BEGIN
  SELECT RAISE(ABORT, 'a payment request is declined by what a counter told')
  WHERE NOT EXISTS (SELECT 1 FROM request_decline
                    WHERE number = NEW.number AND code = '00');
END
