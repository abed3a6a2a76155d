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
                      AND kind IN ('bank fee', 'correction', 'deposit', 'deposit forfeiture', 'deposit refund', 'opening deposit', 'payment'));
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
