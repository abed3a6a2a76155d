CREATE TABLE officer (
	name VARCHAR NOT NULL,
	full_name VARCHAR NOT NULL,
	role VARCHAR NOT NULL,
	proposal BIGINT,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (name),
	CONSTRAINT role_known CHECK (role IN ('operations', 'supervisor', 'security'))
)

CREATE INDEX batch_by_time ON batch (opened_at)

CREATE INDEX published_by_key ON published (kind, key)

CREATE TABLE tariff (
	code VARCHAR NOT NULL,
	currency BIGINT NOT NULL,
	serial BIGINT NOT NULL,
	amount_minor BIGINT NOT NULL,
	noted_by VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (code, currency, serial),
	CONSTRAINT amount_not_negative CHECK (amount_minor >= 0)
)

CREATE TABLE office (
	code VARCHAR(15) NOT NULL,
	serial BIGINT NOT NULL,
	name VARCHAR NOT NULL,
	name_ar VARCHAR NOT NULL,
	currency BIGINT NOT NULL,
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
	amount_minor BIGINT NOT NULL,
	currency BIGINT NOT NULL,
	payer VARCHAR NOT NULL,
	broker VARCHAR NOT NULL,
	delivery_order VARCHAR NOT NULL,
	lines VARCHAR NOT NULL,
	due VARCHAR NOT NULL,
	content BYTEA NOT NULL,
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
	content BYTEA NOT NULL,
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
	version BIGINT NOT NULL,
	number VARCHAR NOT NULL,
	value BYTEA,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (office, version, number)
)

CREATE INDEX request_published_by_version ON request_published (version)

CREATE TABLE request_snapshot (
	office VARCHAR(15) NOT NULL,
	version BIGINT NOT NULL,
	content BYTEA NOT NULL,
	PRIMARY KEY (office, version)
)

CREATE TABLE api_token (
	id BIGINT NOT NULL,
	name VARCHAR NOT NULL,
	digest BYTEA NOT NULL,
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
	serial BIGINT NOT NULL,
	line VARCHAR NOT NULL,
	began_at VARCHAR(27) NOT NULL,
	ended_at VARCHAR(27) NOT NULL,
	messages BIGINT NOT NULL,
	outcome VARCHAR NOT NULL,
	trouble VARCHAR,
	PRIMARY KEY (terminal_id, serial)
)

CREATE TABLE incident_evidence (
	incident_id BIGINT NOT NULL,
	serial BIGINT NOT NULL,
	data BYTEA NOT NULL,
	digest BYTEA NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (incident_id, serial),
	UNIQUE (incident_id, digest),
	FOREIGN KEY(incident_id) REFERENCES incident (id),
	CONSTRAINT digest_is_32_bytes CHECK (length(digest) = 32)
)

CREATE TABLE incident_work (
	incident_id BIGINT NOT NULL,
	serial BIGINT NOT NULL,
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
	number BIGSERIAL NOT NULL,
	kind VARCHAR NOT NULL,
	subject VARCHAR NOT NULL,
	document VARCHAR NOT NULL,
	digest BYTEA NOT NULL,
	reason VARCHAR NOT NULL,
	officer VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (number),
	FOREIGN KEY(officer) REFERENCES officer (name),
	CONSTRAINT digest_is_32_bytes CHECK (length(digest) = 32)
)

CREATE INDEX proposal_by_subject ON proposal (kind, subject)

CREATE TABLE hotlist_block (
	cid BYTEA NOT NULL,
	serial BIGINT NOT NULL,
	contact VARCHAR NOT NULL,
	by_command BOOLEAN NOT NULL,
	"user" VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (cid, serial),
	FOREIGN KEY(cid, serial) REFERENCES hotlist (cid, serial),
	CONSTRAINT cid_is_8_bytes CHECK (length(cid) = 8)
)

CREATE INDEX batch_collected_by_time ON batch_collected (terminal_id, at)

CREATE TABLE correction (
	number BIGSERIAL NOT NULL,
	entry_id BIGINT NOT NULL,
	origin_id BIGINT NOT NULL,
	debit_account_id BIGINT NOT NULL,
	credit_account_id BIGINT NOT NULL,
	amount_minor BIGINT NOT NULL,
	currency BIGINT NOT NULL,
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
	number BIGSERIAL NOT NULL,
	code VARCHAR NOT NULL,
	subject VARCHAR NOT NULL,
	event BIGINT NOT NULL,
	account_id BIGINT NOT NULL,
	amount_minor BIGINT NOT NULL,
	currency BIGINT NOT NULL,
	tariff_serial BIGINT NOT NULL,
	noted_by VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (number),
	UNIQUE (code, subject, event),
	FOREIGN KEY(code, currency, tariff_serial) REFERENCES tariff (code, currency, serial),
	CONSTRAINT amount_more_than_zero CHECK (amount_minor > 0),
	FOREIGN KEY(account_id) REFERENCES account (id)
)

CREATE TABLE api_token_revoked (
	token_id BIGINT NOT NULL,
	who VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (token_id),
	FOREIGN KEY(token_id) REFERENCES api_token (id)
)

CREATE TABLE api_reply (
	token_id BIGINT NOT NULL,
	idempotency_key VARCHAR NOT NULL,
	content BYTEA NOT NULL,
	status BIGINT NOT NULL,
	body VARCHAR NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (token_id, idempotency_key),
	FOREIGN KEY(token_id) REFERENCES api_token (id),
	CONSTRAINT content_is_32_bytes CHECK (length(content) = 32)
)

CREATE TABLE officer_password (
	name VARCHAR NOT NULL,
	serial BIGINT NOT NULL,
	hash VARCHAR NOT NULL,
	proposal BIGINT,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (name, serial),
	FOREIGN KEY(name) REFERENCES officer (name),
	FOREIGN KEY(proposal) REFERENCES proposal (number)
)

CREATE TABLE officer_disabled (
	name VARCHAR NOT NULL,
	proposal BIGINT NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (name),
	FOREIGN KEY(name) REFERENCES officer (name),
	FOREIGN KEY(proposal) REFERENCES proposal (number)
)

CREATE TABLE proposal_decision (
	number BIGINT NOT NULL,
	approved BOOLEAN NOT NULL,
	digest BYTEA NOT NULL,
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
	mid BYTEA NOT NULL,
	batch BIGINT NOT NULL,
	stan BIGINT NOT NULL,
	cid BYTEA NOT NULL,
	otc BIGINT NOT NULL,
	outcome VARCHAR NOT NULL,
	account_id BIGINT,
	proposal BIGINT NOT NULL,
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
	number BIGINT NOT NULL,
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
	serial BIGINT NOT NULL,
	good BOOLEAN NOT NULL,
	password BIGINT NOT NULL,
	at VARCHAR(27) NOT NULL,
	PRIMARY KEY (name, serial),
	FOREIGN KEY(name, password) REFERENCES officer_password (name, serial),
	FOREIGN KEY(name) REFERENCES officer (name)
)

CREATE TABLE deposit_order (
	number BIGSERIAL NOT NULL,
	office VARCHAR NOT NULL,
	order_number VARCHAR NOT NULL,
	action VARCHAR NOT NULL,
	cid BYTEA NOT NULL,
	otc BIGINT NOT NULL,
	origin_id BIGINT NOT NULL,
	amount_minor BIGINT NOT NULL,
	currency BIGINT NOT NULL,
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
	id BIGINT NOT NULL,
	number VARCHAR NOT NULL,
	serial BIGINT NOT NULL,
	state VARCHAR NOT NULL,
	who VARCHAR NOT NULL,
	reason VARCHAR NOT NULL,
	cid BYTEA,
	otc BIGINT,
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
	cid BYTEA NOT NULL,
	otc BIGINT NOT NULL,
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

CREATE TRIGGER office_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON office
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE office ENABLE ALWAYS TRIGGER office_append_only

CREATE TRIGGER deposit_order_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON deposit_order
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE deposit_order ENABLE ALWAYS TRIGGER deposit_order_append_only

CREATE TRIGGER tariff_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tariff
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE tariff ENABLE ALWAYS TRIGGER tariff_append_only

CREATE TRIGGER bank_fee_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON bank_fee
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE bank_fee ENABLE ALWAYS TRIGGER bank_fee_append_only

CREATE TRIGGER correction_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON correction
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE correction ENABLE ALWAYS TRIGGER correction_append_only

CREATE TRIGGER correction_decision_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON correction_decision
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE correction_decision ENABLE ALWAYS TRIGGER correction_decision_append_only

CREATE TRIGGER terminal_call_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON terminal_call
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE terminal_call ENABLE ALWAYS TRIGGER terminal_call_append_only

CREATE TRIGGER officer_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON officer
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE officer ENABLE ALWAYS TRIGGER officer_append_only

CREATE TRIGGER officer_password_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON officer_password
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE officer_password ENABLE ALWAYS TRIGGER officer_password_append_only

CREATE TRIGGER officer_attempt_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON officer_attempt
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE officer_attempt ENABLE ALWAYS TRIGGER officer_attempt_append_only

CREATE TRIGGER officer_disabled_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON officer_disabled
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE officer_disabled ENABLE ALWAYS TRIGGER officer_disabled_append_only

CREATE TRIGGER proposal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON proposal
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE proposal ENABLE ALWAYS TRIGGER proposal_append_only

CREATE TRIGGER proposal_decision_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON proposal_decision
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE proposal_decision ENABLE ALWAYS TRIGGER proposal_decision_append_only

CREATE TRIGGER incident_evidence_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON incident_evidence
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE incident_evidence ENABLE ALWAYS TRIGGER incident_evidence_append_only

CREATE TRIGGER incident_work_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON incident_work
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE incident_work ENABLE ALWAYS TRIGGER incident_work_append_only

CREATE TRIGGER suspense_resolution_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON suspense_resolution
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE suspense_resolution ENABLE ALWAYS TRIGGER suspense_resolution_append_only

CREATE TRIGGER hotlist_block_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hotlist_block
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE hotlist_block ENABLE ALWAYS TRIGGER hotlist_block_append_only

CREATE TRIGGER payment_request_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_request
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE payment_request ENABLE ALWAYS TRIGGER payment_request_append_only

CREATE TRIGGER request_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON request_event
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE request_event ENABLE ALWAYS TRIGGER request_event_append_only

CREATE TRIGGER request_payment_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON request_payment
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE request_payment ENABLE ALWAYS TRIGGER request_payment_append_only

CREATE TRIGGER request_decline_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON request_decline
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE request_decline ENABLE ALWAYS TRIGGER request_decline_append_only

CREATE TRIGGER request_published_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON request_published
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE request_published ENABLE ALWAYS TRIGGER request_published_append_only

CREATE TRIGGER request_snapshot_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON request_snapshot
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE request_snapshot ENABLE ALWAYS TRIGGER request_snapshot_append_only

CREATE TRIGGER api_token_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON api_token
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE api_token ENABLE ALWAYS TRIGGER api_token_append_only

CREATE TRIGGER api_token_revoked_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON api_token_revoked
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE api_token_revoked ENABLE ALWAYS TRIGGER api_token_revoked_append_only

CREATE TRIGGER api_reply_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON api_reply
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.append_only()

ALTER TABLE api_reply ENABLE ALWAYS TRIGGER api_reply_append_only

CREATE FUNCTION {schema}.entry_sides() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
    WHERE leg.entry_id = added.id AND NOT (
         (added.kind = 'opening deposit' AND (leg.debit_minor > 0 AND account.kind IN ('core-bank clearing') OR leg.credit_minor > 0 AND account.kind IN ('customer')))
      OR (added.kind = 'deposit' AND (leg.debit_minor > 0 AND account.kind IN ('core-bank clearing') OR leg.credit_minor > 0 AND account.kind IN ('customer')))
      OR (added.kind = 'load' AND (leg.debit_minor > 0 AND account.kind IN ('customer') OR leg.credit_minor > 0 AND account.kind IN ('purse float')))
      OR (added.kind = 'load reversal' AND (leg.debit_minor > 0 AND account.kind IN ('purse float') OR leg.credit_minor > 0 AND account.kind IN ('customer')))
      OR (added.kind = 'payment' AND (leg.debit_minor > 0 AND account.kind IN ('purse float') OR leg.credit_minor > 0 AND account.kind IN ('customs deposits', 'customs revenue', 'merchant', 'suspense')))
      OR (added.kind = 'deposit refund' AND (leg.debit_minor > 0 AND account.kind IN ('customs deposits') OR leg.credit_minor > 0 AND account.kind IN ('customer')))
      OR (added.kind = 'deposit forfeiture' AND (leg.debit_minor > 0 AND account.kind IN ('customs deposits') OR leg.credit_minor > 0 AND account.kind IN ('customs revenue')))
      OR (added.kind = 'bank fee' AND (leg.debit_minor > 0 AND account.kind IN ('customer') OR leg.credit_minor > 0 AND account.kind IN ('bank fees')))
      OR (added.kind = 'bank fee reversal' AND (leg.debit_minor > 0 AND account.kind IN ('bank fees') OR leg.credit_minor > 0 AND account.kind IN ('customer')))
      OR (added.kind = 'suspense resolution' AND (leg.debit_minor > 0 AND account.kind IN ('suspense') OR leg.credit_minor > 0 AND account.kind IN ('customer', 'customs deposits', 'customs revenue', 'merchant')))
      OR (added.kind = 'correction' AND (leg.debit_minor > 0 AND account.kind IN ('bank fees', 'customer', 'customs deposits', 'customs revenue', 'merchant') OR leg.credit_minor > 0 AND account.kind IN ('bank fees', 'core-bank clearing', 'customer', 'customs deposits', 'customs revenue', 'merchant')))))) THEN
    RAISE EXCEPTION 'this kind of entry does not move money between these accounts'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER entry_sides AFTER INSERT ON entry
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.entry_sides()

ALTER TABLE entry ENABLE ALWAYS TRIGGER entry_sides

CREATE FUNCTION {schema}.account_of_office() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.kind IN ('customs deposits', 'customs revenue', 'merchant')) AND (NOT EXISTS (SELECT 1 FROM office
                    WHERE code = added.owner AND currency = added.currency))) THEN
    RAISE EXCEPTION 'an account of an office needs that office, in its currency'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER account_of_office AFTER INSERT ON account
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.account_of_office()

ALTER TABLE account ENABLE ALWAYS TRIGGER account_of_office

CREATE FUNCTION {schema}.office_currency() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('office'), 1);
  IF EXISTS (SELECT 1 FROM office
                WHERE code = NEW.code AND currency <> NEW.currency) THEN
    RAISE EXCEPTION 'an office keeps its currency'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$

CREATE TRIGGER office_currency BEFORE INSERT ON office
FOR EACH ROW EXECUTE FUNCTION {schema}.office_currency()

ALTER TABLE office ENABLE ALWAYS TRIGGER office_currency

CREATE FUNCTION {schema}.deposit_order_of_payment() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE NOT EXISTS (SELECT 1 FROM entry
                    WHERE id = added.origin_id AND kind = 'payment'
                      AND cid = added.cid AND number = added.otc
                      AND currency = added.currency)) THEN
    RAISE EXCEPTION 'an order names the entry of its payment'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER deposit_order_of_payment AFTER INSERT ON deposit_order
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.deposit_order_of_payment()

ALTER TABLE deposit_order ENABLE ALWAYS TRIGGER deposit_order_of_payment

CREATE FUNCTION {schema}.entry_of_deposit_order() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.kind IN ('deposit forfeiture', 'deposit refund')) AND (NOT EXISTS (SELECT 1 FROM deposit_order
                    WHERE number = added.number AND action = added.kind
                      AND office = added.subject AND cid = added.cid
                      AND amount_minor = added.amount_minor
                      AND currency = added.currency))) THEN
    RAISE EXCEPTION 'a deposit moves only on an order of customs'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF EXISTS (SELECT 1 FROM added WHERE (added.kind IN ('deposit forfeiture', 'deposit refund')) AND (NOT EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                    WHERE leg.entry_id = added.id
                      AND leg.debit_minor = added.amount_minor
                      AND account.kind = 'customs deposits'
                      AND account.owner = added.subject))) THEN
    RAISE EXCEPTION 'a deposit is taken from the office that holds it'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF EXISTS (SELECT 1 FROM added WHERE (added.kind IN ('deposit forfeiture', 'deposit refund')) AND (added.kind = 'deposit refund'
    AND NOT EXISTS (SELECT 1 FROM leg JOIN purse ON purse.account_id = leg.account_id
                    WHERE leg.entry_id = added.id AND purse.cid = added.cid
                      AND leg.credit_minor = added.amount_minor))) THEN
    RAISE EXCEPTION 'a deposit is refunded to the card''s holder'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF EXISTS (SELECT 1 FROM added WHERE (added.kind IN ('deposit forfeiture', 'deposit refund')) AND (added.kind = 'deposit forfeiture'
    AND NOT EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                    WHERE leg.entry_id = added.id
                      AND leg.credit_minor = added.amount_minor
                      AND account.kind = 'customs revenue'
                      AND account.owner = added.subject))) THEN
    RAISE EXCEPTION 'a deposit is forfeited to the office that held it'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER entry_of_deposit_order AFTER INSERT ON entry
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.entry_of_deposit_order()

ALTER TABLE entry ENABLE ALWAYS TRIGGER entry_of_deposit_order

CREATE FUNCTION {schema}.entry_takes_deposit() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('entry'), 1);
  IF EXISTS (SELECT 1 FROM leg AS taken
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
          WHERE fee.id = (SELECT origin_id FROM deposit_order WHERE number = NEW.number)))) THEN
    RAISE EXCEPTION 'no more can be taken than is left there'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$

CREATE TRIGGER entry_takes_deposit BEFORE INSERT ON entry
FOR EACH ROW WHEN (NEW.kind IN ('deposit forfeiture', 'deposit refund')) EXECUTE FUNCTION {schema}.entry_takes_deposit()

ALTER TABLE entry ENABLE ALWAYS TRIGGER entry_takes_deposit

CREATE FUNCTION {schema}.entry_takes_correction() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('entry'), 1);
  IF EXISTS (SELECT 1 FROM leg AS taken
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
          WHERE fee.id = (SELECT origin_id FROM correction WHERE number = NEW.number)))) THEN
    RAISE EXCEPTION 'no more can be taken than is left there'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$

CREATE TRIGGER entry_takes_correction BEFORE INSERT ON entry
FOR EACH ROW WHEN (NEW.kind IN ('correction')) EXECUTE FUNCTION {schema}.entry_takes_correction()

ALTER TABLE entry ENABLE ALWAYS TRIGGER entry_takes_correction

CREATE FUNCTION {schema}.entry_of_fee() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.kind = 'bank fee') AND (NOT EXISTS (SELECT 1 FROM bank_fee
                    JOIN leg ON leg.account_id = bank_fee.account_id
                    WHERE bank_fee.number = added.number
                      AND bank_fee.amount_minor = added.amount_minor
                      AND bank_fee.currency = added.currency
                      AND leg.entry_id = added.id
                      AND leg.debit_minor = added.amount_minor))) THEN
    RAISE EXCEPTION 'a fee is charged once, by the tariff, to the account it names'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER entry_of_fee AFTER INSERT ON entry
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.entry_of_fee()

ALTER TABLE entry ENABLE ALWAYS TRIGGER entry_of_fee

CREATE FUNCTION {schema}.fee_by_tariff() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE NOT EXISTS (SELECT 1 FROM tariff
                    WHERE code = added.code AND currency = added.currency
                      AND serial = added.tariff_serial
                      AND amount_minor = added.amount_minor)) THEN
    RAISE EXCEPTION 'a fee is what the tariff says'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER fee_by_tariff AFTER INSERT ON bank_fee
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.fee_by_tariff()

ALTER TABLE bank_fee ENABLE ALWAYS TRIGGER fee_by_tariff

CREATE FUNCTION {schema}.entry_of_fee_reversal() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.kind = 'bank fee reversal') AND (NOT EXISTS (SELECT 1 FROM bank_fee
                    JOIN load_outcome AS outcome
                      ON upper(encode(outcome.cid, 'hex')) = bank_fee.subject
                     AND outcome.ltc = bank_fee.event
                    JOIN leg ON leg.account_id = bank_fee.account_id
                    WHERE bank_fee.number = added.number AND bank_fee.code = 'load'
                      AND bank_fee.amount_minor = added.amount_minor
                      AND bank_fee.currency = added.currency
                      AND outcome.outcome = 'voided'
                      AND leg.entry_id = added.id
                      AND leg.credit_minor = added.amount_minor))) THEN
    RAISE EXCEPTION 'the fee of a load goes back only when the purse voided it'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER entry_of_fee_reversal AFTER INSERT ON entry
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.entry_of_fee_reversal()

ALTER TABLE entry ENABLE ALWAYS TRIGGER entry_of_fee_reversal

CREATE FUNCTION {schema}.correction_of_entry() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('correction'), 1);
  IF NOT EXISTS (SELECT 1 FROM entry
                    WHERE id = NEW.entry_id AND currency = NEW.currency
                      AND kind IN ('bank fee', 'correction', 'deposit', 'deposit forfeiture', 'deposit refund', 'opening deposit', 'payment', 'suspense resolution')) THEN
    RAISE EXCEPTION 'an entry of this kind is not corrected'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NEW.origin_id <> COALESCE(
    (SELECT earlier.origin_id FROM entry JOIN correction AS earlier
       ON entry.kind = 'correction' AND earlier.number = entry.number
      WHERE entry.id = NEW.entry_id),
    (SELECT deposit_order.origin_id FROM entry JOIN deposit_order
       ON deposit_order.action = entry.kind
      AND deposit_order.office = entry.subject
      AND deposit_order.number = entry.number
      WHERE entry.id = NEW.entry_id),
    NEW.entry_id) THEN
    RAISE EXCEPTION 'a correction names the entry with which the money came'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$

CREATE TRIGGER correction_of_entry BEFORE INSERT ON correction
FOR EACH ROW EXECUTE FUNCTION {schema}.correction_of_entry()

ALTER TABLE correction ENABLE ALWAYS TRIGGER correction_of_entry

CREATE FUNCTION {schema}.correction_by_two() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.decision = 'approved') AND (EXISTS (SELECT 1 FROM correction
                WHERE number = added.number
                  AND lower(proposed_by) = lower(added.decided_by)))) THEN
    RAISE EXCEPTION 'nobody approves what he has proposed himself'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER correction_by_two AFTER INSERT ON correction_decision
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.correction_by_two()

ALTER TABLE correction_decision ENABLE ALWAYS TRIGGER correction_by_two

CREATE FUNCTION {schema}.entry_of_correction() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.kind = 'correction') AND (NOT EXISTS (SELECT 1 FROM correction
                    JOIN correction_decision AS decided
                      ON decided.number = correction.number
                    JOIN leg AS debited
                      ON debited.account_id = correction.debit_account_id
                    JOIN leg AS credited
                      ON credited.account_id = correction.credit_account_id
                    WHERE correction.number = added.number AND added.subject = 'bank'
                      AND decided.decision = 'approved'
                      AND correction.amount_minor = added.amount_minor
                      AND correction.currency = added.currency
                      AND debited.entry_id = added.id
                      AND debited.debit_minor = added.amount_minor
                      AND credited.entry_id = added.id
                      AND credited.credit_minor = added.amount_minor))) THEN
    RAISE EXCEPTION 'a correction is booked only when a second officer approved it'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER entry_of_correction AFTER INSERT ON entry
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.entry_of_correction()

ALTER TABLE entry ENABLE ALWAYS TRIGGER entry_of_correction

CREATE OR REPLACE FUNCTION {schema}.payment_on_tac() RETURNS trigger LANGUAGE plpgsql
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
                      AND decision IN ('posted', 'held'))
    -- Or its TAC was verified later, with a key that the bank did not have then.
    AND NOT EXISTS (SELECT 1 FROM record
                    JOIN suspense_resolution AS ended
                      ON ended.terminal_id = record.terminal_id
                     AND ended.mid = record.mid AND ended.batch = record.batch
                     AND ended.stan = record.stan
                    WHERE record.terminal_id = added.terminal_id
                      AND record.mid = added.mid AND record.batch = added.batch
                      AND record.stan = added.stan
                      AND record.cid = added.cid AND record.otc = added.otc
                      AND record.amount_minor = added.amount_minor
                      AND record.evidence = added.evidence AND record.tac = added.tac
                      AND record.decision = 'suspended'
                      AND ended.outcome = 'accepted')) THEN
    RAISE EXCEPTION 'a payment is posted only on its verified TAC'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE FUNCTION {schema}.proposal_by_officer() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('proposal'), 1);
  IF EXISTS (SELECT 1 FROM officer_disabled WHERE name = NEW.officer) THEN
    RAISE EXCEPTION 'a proposal is made by an officer who is not disabled'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF EXISTS (SELECT 1 FROM proposal AS other
                WHERE other.kind = NEW.kind AND other.subject = NEW.subject
                  AND NOT EXISTS (SELECT 1 FROM proposal_decision AS decided
                                  WHERE decided.number = other.number)) THEN
    RAISE EXCEPTION 'there is an undecided proposal about this already'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$

CREATE TRIGGER proposal_by_officer BEFORE INSERT ON proposal
FOR EACH ROW EXECUTE FUNCTION {schema}.proposal_by_officer()

ALTER TABLE proposal ENABLE ALWAYS TRIGGER proposal_by_officer

CREATE FUNCTION {schema}.proposal_decided_by_another() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE added.approved
    AND EXISTS (SELECT 1 FROM proposal
                WHERE number = added.number AND officer = added.officer)) THEN
    RAISE EXCEPTION 'nobody approves a proposal of his or her own'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF EXISTS (SELECT 1 FROM added WHERE added.approved
    AND NOT EXISTS (SELECT 1 FROM officer
                    WHERE name = added.officer AND role IN ('supervisor', 'security'))) THEN
    RAISE EXCEPTION 'a proposal is approved by a supervisor or a security officer'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF EXISTS (SELECT 1 FROM added WHERE EXISTS (SELECT 1 FROM officer_disabled WHERE name = added.officer)) THEN
    RAISE EXCEPTION 'a proposal is decided by an officer who is not disabled'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF EXISTS (SELECT 1 FROM added WHERE NOT EXISTS (SELECT 1 FROM proposal
                    WHERE number = added.number AND digest = added.digest)) THEN
    RAISE EXCEPTION 'what is decided is not what was proposed'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER proposal_decided_by_another AFTER INSERT ON proposal_decision
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.proposal_decided_by_another()

ALTER TABLE proposal_decision ENABLE ALWAYS TRIGGER proposal_decided_by_another

CREATE FUNCTION {schema}.officer_added_by_two() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('officer'), 1);
  IF (NEW.proposal IS NOT NULL
  OR (SELECT COUNT(*) FROM officer WHERE role = 'security'
        AND NOT EXISTS (SELECT 1 FROM officer_disabled AS gone
                        WHERE gone.name = officer.name)) >= 2) AND (NOT EXISTS (SELECT 1 FROM proposal
                    JOIN proposal_decision AS decided
                      ON decided.number = proposal.number AND decided.approved
                    WHERE proposal.number = NEW.proposal
                      AND proposal.kind = 'officer' AND proposal.subject = NEW.name)) THEN
    RAISE EXCEPTION 'officers are managed by two security officers together'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$

CREATE TRIGGER officer_added_by_two BEFORE INSERT ON officer
FOR EACH ROW EXECUTE FUNCTION {schema}.officer_added_by_two()

ALTER TABLE officer ENABLE ALWAYS TRIGGER officer_added_by_two

CREATE FUNCTION {schema}.officer_disabled_by_two() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE NOT EXISTS (SELECT 1 FROM proposal
                    JOIN proposal_decision AS decided
                      ON decided.number = proposal.number AND decided.approved
                    WHERE proposal.number = added.proposal
                      AND proposal.kind = 'officer' AND proposal.subject = added.name)) THEN
    RAISE EXCEPTION 'officers are managed by two security officers together'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER officer_disabled_by_two AFTER INSERT ON officer_disabled
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.officer_disabled_by_two()

ALTER TABLE officer_disabled ENABLE ALWAYS TRIGGER officer_disabled_by_two

CREATE FUNCTION {schema}.officer_password_by_two() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.proposal IS NOT NULL) AND (NOT EXISTS (SELECT 1 FROM proposal
                    JOIN proposal_decision AS decided
                      ON decided.number = proposal.number AND decided.approved
                    WHERE proposal.number = added.proposal
                      AND proposal.kind = 'officer' AND proposal.subject = added.name))) THEN
    RAISE EXCEPTION 'officers are managed by two security officers together'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER officer_password_by_two AFTER INSERT ON officer_password
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.officer_password_by_two()

ALTER TABLE officer_password ENABLE ALWAYS TRIGGER officer_password_by_two

CREATE FUNCTION {schema}.incident_work_while_open() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE added.kind <> 'noted'
    AND EXISTS (SELECT 1 FROM incident_closed WHERE incident_id = added.incident_id)) THEN
    RAISE EXCEPTION 'the incident is closed: only notes are added'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF EXISTS (SELECT 1 FROM added WHERE EXISTS (SELECT 1 FROM officer_disabled WHERE name = added.officer)) THEN
    RAISE EXCEPTION 'nothing is accepted from a disabled officer'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER incident_work_while_open AFTER INSERT ON incident_work
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.incident_work_while_open()

ALTER TABLE incident_work ENABLE ALWAYS TRIGGER incident_work_while_open

CREATE FUNCTION {schema}.incident_closed_by_somebody() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE NOT EXISTS (SELECT 1 FROM incident_work
                    WHERE incident_id = added.incident_id AND kind = 'resolved')
    AND NOT EXISTS (SELECT 1 FROM incident
                    WHERE id = added.incident_id
                      AND code IN ('outcome open', 'batch incomplete'))) THEN
    RAISE EXCEPTION 'an incident closes by an officer, or by what it waited for'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER incident_closed_by_somebody AFTER INSERT ON incident_closed
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.incident_closed_by_somebody()

ALTER TABLE incident_closed ENABLE ALWAYS TRIGGER incident_closed_by_somebody

CREATE FUNCTION {schema}.suspense_resolved_by_two() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE NOT EXISTS (
    SELECT 1 FROM proposal
    JOIN proposal_decision AS decided ON decided.number = proposal.number
    JOIN record ON record.terminal_id = added.terminal_id AND record.mid = added.mid
      AND record.batch = added.batch AND record.stan = added.stan
    LEFT JOIN account ON account.id = added.account_id
    WHERE proposal.number = added.proposal AND proposal.kind = 'suspense'
      AND decided.approved AND decided.officer <> proposal.officer
      AND proposal.subject = added.terminal_id || '/' || upper(encode(added.mid, 'hex')) || '/'
                             || added.batch || '/' || added.stan
      -- `settlement.suspense.resolution_document`, in its one form of JSON.
      AND proposal.document = '{"account":'
        || CASE WHEN added.account_id IS NULL THEN 'null' ELSE
             '{"currency":' || account.currency || ',"kind":"' || account.kind
             || '","owner":"' || account.owner || '"}' END
        || ',"amount_minor":' || record.amount_minor
        || ',"evidence":"' || upper(encode(record.evidence, 'hex'))
        || '","outcome":"' || added.outcome || '"}')) THEN
    RAISE EXCEPTION 'suspense is resolved by two officers who agree on it'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF EXISTS (SELECT 1 FROM added WHERE NOT EXISTS (
    SELECT 1 FROM record
    WHERE terminal_id = added.terminal_id AND mid = added.mid AND batch = added.batch
      AND stan = added.stan AND cid = added.cid AND otc = added.otc
      AND ((decision = 'held' AND added.outcome IN ('paid', 'returned'))
        OR (decision = 'suspended' AND added.outcome IN ('accepted', 'written off'))))) THEN
    RAISE EXCEPTION 'only what waits in suspense is resolved, in a way that fits'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER suspense_resolved_by_two AFTER INSERT ON suspense_resolution
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.suspense_resolved_by_two()

ALTER TABLE suspense_resolution ENABLE ALWAYS TRIGGER suspense_resolved_by_two

CREATE FUNCTION {schema}.entry_of_suspense() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.kind = 'suspense resolution') AND (NOT EXISTS (
    SELECT 1 FROM suspense_resolution AS ended
    JOIN record ON record.terminal_id = ended.terminal_id
      AND record.mid = ended.mid AND record.batch = ended.batch
      AND record.stan = ended.stan
    WHERE ended.cid = added.cid AND upper(encode(ended.cid, 'hex')) = added.subject
      AND ended.otc = added.number AND ended.outcome IN ('paid', 'returned')
      AND record.amount_minor = added.amount_minor
      AND (SELECT COUNT(*) FROM leg WHERE entry_id = added.id) = 2
      AND EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                  WHERE leg.entry_id = added.id AND account.kind = 'suspense'
                    AND leg.debit_minor = added.amount_minor)
      AND EXISTS (SELECT 1 FROM leg
                  WHERE leg.entry_id = added.id AND leg.account_id = ended.account_id
                    AND leg.credit_minor = added.amount_minor)))) THEN
    RAISE EXCEPTION 'what is in suspense leaves it only as two officers decided'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER entry_of_suspense AFTER INSERT ON entry
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.entry_of_suspense()

ALTER TABLE entry ENABLE ALWAYS TRIGGER entry_of_suspense

CREATE FUNCTION {schema}.request_begins() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.serial = 1) AND (added.state <> 'new')) THEN
    RAISE EXCEPTION 'a payment request begins as new'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER request_begins AFTER INSERT ON request_event
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.request_begins()

ALTER TABLE request_event ENABLE ALWAYS TRIGGER request_begins

CREATE FUNCTION {schema}.request_moves() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('request_event'), 1);
  IF NOT EXISTS (SELECT 1 FROM request_event
                    WHERE number = NEW.number AND serial = NEW.serial - 1
                      AND ((state = 'new' AND NEW.state = 'cancelled') OR (state = 'new' AND NEW.state = 'declined') OR (state = 'new' AND NEW.state = 'paid'))) THEN
    RAISE EXCEPTION 'a payment request that is not new cannot move any more'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$

CREATE TRIGGER request_moves BEFORE INSERT ON request_event
FOR EACH ROW WHEN (NEW.serial <> 1) EXECUTE FUNCTION {schema}.request_moves()

ALTER TABLE request_event ENABLE ALWAYS TRIGGER request_moves

CREATE FUNCTION {schema}.request_paid() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.state = 'paid') AND (NOT EXISTS (SELECT 1 FROM payment
                    JOIN record
                      ON record.terminal_id = payment.terminal_id
                     AND record.mid = payment.mid
                     AND record.batch = payment.batch
                     AND record.stan = payment.stan
                    JOIN payment_request AS request ON request.number = added.number
                    WHERE payment.cid = added.cid AND payment.otc = added.otc
                      AND record.decision = 'posted'
                      AND payment.currency = request.currency
                      AND payment.amount_minor >= request.amount_minor))) THEN
    RAISE EXCEPTION 'a payment request is paid by a posted payment, in full'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER request_paid AFTER INSERT ON request_event
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.request_paid()

ALTER TABLE request_event ENABLE ALWAYS TRIGGER request_paid

CREATE FUNCTION {schema}.request_declined() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.state = 'declined') AND (NOT EXISTS (SELECT 1 FROM request_decline
                    WHERE number = added.number AND code = '00'))) THEN
    RAISE EXCEPTION 'a payment request is declined by what a counter told'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER request_declined AFTER INSERT ON request_event
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.request_declined()

ALTER TABLE request_event ENABLE ALWAYS TRIGGER request_declined
