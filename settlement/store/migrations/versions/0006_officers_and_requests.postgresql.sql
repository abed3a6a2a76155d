CREATE FUNCTION {schema}.correction_by_officer() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE NOT EXISTS (SELECT 1 FROM officer WHERE name = added.proposed_by
                    AND role IN ('operations', 'supervisor'))) THEN
    RAISE EXCEPTION 'a correction is asked for by operations or a supervisor'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF EXISTS (SELECT 1 FROM added WHERE EXISTS (SELECT 1 FROM officer_disabled WHERE name = added.proposed_by)) THEN
    RAISE EXCEPTION 'a correction is asked for by an officer who is not disabled'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER correction_by_officer AFTER INSERT ON correction
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.correction_by_officer()

ALTER TABLE correction ENABLE ALWAYS TRIGGER correction_by_officer

CREATE FUNCTION {schema}.correction_decided_by_officer() RETURNS trigger LANGUAGE plpgsql
SET search_path = {schema}, pg_temp
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off
SET enable_material = off
AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM added WHERE added.decision = 'approved'
    AND NOT EXISTS (SELECT 1 FROM officer
                    WHERE name = added.decided_by AND role = 'supervisor')) THEN
    RAISE EXCEPTION 'a correction is approved by a supervisor'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF EXISTS (SELECT 1 FROM added WHERE NOT EXISTS (SELECT 1 FROM officer WHERE name = added.decided_by)
     OR EXISTS (SELECT 1 FROM officer_disabled WHERE name = added.decided_by)) THEN
    RAISE EXCEPTION 'a correction is decided by an officer who is not disabled'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$

CREATE TRIGGER correction_decided_by_officer AFTER INSERT ON correction_decision
REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {schema}.correction_decided_by_officer()

ALTER TABLE correction_decision ENABLE ALWAYS TRIGGER correction_decided_by_officer

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
                      AND (record.decision = 'posted'
                        OR record.decision = 'suspended'
                       AND EXISTS (SELECT 1 FROM suspense_resolution AS ended
                                   WHERE ended.terminal_id = record.terminal_id
                                     AND ended.mid = record.mid
                                     AND ended.batch = record.batch
                                     AND ended.stan = record.stan
                                     AND ended.outcome = 'accepted'))
                      AND payment.currency = request.currency
                      AND payment.amount_minor >= request.amount_minor))) THEN
    RAISE EXCEPTION 'a payment request is paid by a posted payment, in full'
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$
