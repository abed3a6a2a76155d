CREATE TRIGGER correction_by_officer BEFORE INSERT ON correction
BEGIN
  SELECT RAISE(ABORT, 'a correction is asked for by operations or a supervisor')
  WHERE NOT EXISTS (SELECT 1 FROM officer WHERE name = NEW.proposed_by
                    AND role IN ('operations', 'supervisor'));
  SELECT RAISE(ABORT, 'a correction is asked for by an officer who is not disabled')
  WHERE EXISTS (SELECT 1 FROM officer_disabled WHERE name = NEW.proposed_by);
END

CREATE TRIGGER correction_decided_by_officer BEFORE INSERT ON correction_decision
BEGIN
  SELECT RAISE(ABORT, 'a correction is approved by a supervisor')
  WHERE NEW.decision = 'approved'
    AND NOT EXISTS (SELECT 1 FROM officer
                    WHERE name = NEW.decided_by AND role = 'supervisor');
  SELECT RAISE(ABORT, 'a correction is decided by an officer who is not disabled')
  WHERE NOT EXISTS (SELECT 1 FROM officer WHERE name = NEW.decided_by)
     OR EXISTS (SELECT 1 FROM officer_disabled WHERE name = NEW.decided_by);
END

DROP TRIGGER request_paid

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
                      AND (record.decision = 'posted'
                        OR record.decision = 'suspended'
                       AND EXISTS (SELECT 1 FROM suspense_resolution AS ended
                                   WHERE ended.terminal_id = record.terminal_id
                                     AND ended.mid = record.mid
                                     AND ended.batch = record.batch
                                     AND ended.stan = record.stan
                                     AND ended.outcome = 'accepted'))
                      AND payment.currency = request.currency
                      AND payment.amount_minor >= request.amount_minor);
END
