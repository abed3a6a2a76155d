CREATE OR REPLACE FUNCTION {schema}.entry_sides() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.account_of_office() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.kind IN ('customs deposits', 'customs revenue', 'merchant')) AND (NOT EXISTS (SELECT 1 FROM office
                    WHERE code = added.owner AND currency = added.currency))) THEN
    RAISE EXCEPTION 'an account of an office needs that office, in its currency'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE OR REPLACE FUNCTION {schema}.office_currency() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.deposit_order_of_payment() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.entry_of_deposit_order() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.entry_takes_deposit() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.entry_takes_correction() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.entry_of_fee() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.fee_by_tariff() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.entry_of_fee_reversal() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.correction_of_entry() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.correction_by_two() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.entry_of_correction() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.entry_balances() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.entry_of_payment() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.entry_of_reversal() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.payment_on_tac() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.open_record_delivered() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.proposal_by_officer() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.proposal_decided_by_another() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.officer_added_by_two() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.officer_disabled_by_two() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.officer_password_by_two() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.incident_work_while_open() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.incident_closed_by_somebody() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.suspense_resolved_by_two() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.entry_of_suspense() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.request_begins() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.serial = 1) AND (added.state <> 'new')) THEN
    RAISE EXCEPTION 'a payment request begins as new'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE OR REPLACE FUNCTION {schema}.request_moves() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.request_paid() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.request_declined() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE (added.state = 'declined') AND (NOT EXISTS (SELECT 1 FROM request_decline
                    WHERE number = added.number AND code = '00'))) THEN
    RAISE EXCEPTION 'a payment request is declined by what a counter told'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE OR REPLACE FUNCTION {schema}.leg_sealed() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added JOIN entry ON entry.id = added.entry_id) THEN
    RAISE EXCEPTION 'the entry is complete: no leg can be added'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE OR REPLACE FUNCTION {schema}.leg_late() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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

CREATE OR REPLACE FUNCTION {schema}.entry_numbered() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
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
