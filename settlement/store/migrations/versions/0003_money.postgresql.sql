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
                      AND kind IN ('bank fee', 'correction', 'deposit', 'deposit forfeiture', 'deposit refund', 'opening deposit', 'payment')) THEN
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
