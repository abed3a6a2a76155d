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
                      AND decision IN ('posted', 'held'));
END
