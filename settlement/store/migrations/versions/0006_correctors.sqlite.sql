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
