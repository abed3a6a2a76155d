/* What follows from an interruption: terminal/settling.py and terminal/day_flow.py, whenever
 * the terminal is at rest. All that is read here is in the journal and in LIST OPEN and
 * READ CREDITED, so a kill loses nothing of it.
 */

#define MATCHES(a, n) (a < attempts && journal[a] == BEGUN && purse_of[a] == PURSE_OF(n) \
    && otc_of[a] == OTC_OF(n) && rc_of[a] == RC_OF(n))
#define IS_OPEN_FOR(n, a) (record[n] == OPEN && MATCHES(a, n))

/* The record becomes known: of a payment that had begun, or without its details. */
inline take_in(n) {
    for (i : 0 .. ATTEMPTS - 1) {
        if
        :: found == 0 && MATCHES(i, n) ->
            journal[i] = OPENED; journal_tsn[i] = n; found = 1; WITNESS(LOST_INIT_SAM_FOUND)
        :: else
        fi
    }
    i = 0; found = 0;
    row[n] = OPENED
}

inline recovery_runs(n) {
    hand_tsn = n;
    if
    :: calm -> runs = runs + 1
    :: else
    fi
}

#define WAS_INTENDED(a, x) (journal[a] == INTENDED)
#define HAS_NO_RECORD(a, x) (journal[a] == BEGUN && !ANY_RECORD(IS_OPEN_FOR, a))
#define IS_NEW(n, x) (record[n] == OPEN && row[n] == NOTHING)
#define IS_CREDITED_NOW(n, x) (row[n] == OPENED && (record[n] == CREDITED || record[n] == BATCHED))
#define IS_CLOSED_NOW(n, x) (row[n] == OPENED && record[n] == VOIDED)
#define HAS_PROOF(n, x) (row[n] == DEBITED)
#define HAS_PURSE(n, x) (row[n] == OPENED && record[n] == OPEN && reader == PURSE_OF(n))
#define HAS_CLOSURE(n, x) (row[n] == OPENED && record[n] == OPEN && open_known[n] == 2)

active proctype Settling() {
end:
    do
    :: atomic { doing == IDLE && ANY_ATTEMPT(WAS_INTENDED, 0) -> pick_attempt(WAS_INTENDED, 0);
        d_step {
            journal[a] = REFUSED;
            story1("settling        attempt %d: nothing was sent, not paid", 1 + a); step_ends()
        } }
    :: atomic { doing == IDLE && ANY_ATTEMPT(HAS_NO_RECORD, 0) -> pick_attempt(HAS_NO_RECORD, 0);
        d_step {
            journal[a] = NOT_DEBITED;
            story1("settling        attempt %d: no open record, not paid", 1 + a); step_ends()
        } }
    :: atomic { doing == IDLE && ANY_RECORD(IS_NEW, 0) -> pick_record(IS_NEW, 0);
        d_step {
            story1("settling        LIST OPEN: tsn %d, not known yet", 1 + n);
            take_in(n); step_ends()
        } }
    :: atomic { doing == IDLE && ANY_RECORD(IS_CREDITED_NOW, 0) -> pick_record(IS_CREDITED_NOW, 0);
        d_step {
            row[n] = BOOKED;
            story1("settling        READ CREDITED: tsn %d, paid", 1 + n); step_ends()
        } }
    :: atomic { doing == IDLE && ANY_RECORD(IS_CLOSED_NOW, 0) -> pick_record(IS_CLOSED_NOW, 0);
        d_step {
            row[n] = NOT_DEBITED;
            story1("settling        tsn %d neither open nor credited: not paid", 1 + n); step_ends()
        } }
    :: atomic { doing == IDLE && ANY_RECORD(HAS_PROOF, 0) -> pick_record(HAS_PROOF, 0);
        d_step {
            recovery_runs(n); doing = CREDIT_;
            story1("settling        the journal holds the proof of tsn %d", 1 + n);
            WITNESS(RESUMED_FROM_JOURNAL); step_ends()
        } }
    :: atomic { doing == IDLE && ANY_RECORD(HAS_PURSE, 0) -> pick_record(HAS_PURSE, 0);
        d_step {
            recovery_runs(n); doing = PROVE_;
            story2("settling        purse %d is asked about tsn %d", 1 + reader, 1 + n); step_ends()
        } }
#ifdef DAY
    :: atomic { doing == IDLE && ANY_RECORD(HAS_CLOSURE, 0) -> pick_record(HAS_CLOSURE, 0);
        d_step {
            recovery_runs(n);
            story1("settling        the bank has resolved tsn %d", 1 + n);
            if
            :: WAS_DEBITED(n) -> row[n] = DEBITED; doing = CREDIT_; WITNESS(BANK_PROVES)
            :: else -> doing = VOID_CUSTOMS_; WITNESS(BANK_VOIDS)
            fi;
            step_ends()
        } }
#endif
    od
}

#ifdef DAY
#define IS_UNSENT(n, x) (record[n] == OPEN && !open_known[n])
#define IN_BATCH(n, x) (record[n] == BATCHED)
#define IN_CURRENT(n, x) (record[n] == CREDITED)

/* The journal is compared with the closed batch, and takes in what it lacks. */
inline read_back() {
    for (i : 0 .. RECORDS - 1) {
        if
        :: record[i] == BATCHED -> row[i] = BOOKED
        :: else
        fi
    }
    i = 0
}

active proctype End_of_day() {
end:
    do
    :: d_step { doing == IDLE && !calm && ANY_RECORD(IN_CURRENT, 0) && !ANY_RECORD(IN_BATCH, 0) ->
        CLOSE_BATCH();
        story("end of day      CLOSE BATCH"); step_ends() }
    :: atomic { doing == IDLE && !calm && (ANY_RECORD(IN_BATCH, 0) || ANY_RECORD(IS_UNSENT, 0)) ->
        if
        :: fate = ANSWERED
        :: MAY_FAIL -> fault(); fate = LOST_OUT
        fi;
        d_step {
            read_back();
            BATCH_UPLOAD();
            if
            :: fate == LOST_OUT -> story("end of day      upload; the bank's answer is lost")
            :: else -> BANK_ACK();
                story("end of day      upload, and BANK ACK to the customs card");
                WITNESS(COLLECTED)
            fi;
            step_ends()
        } }
    od
}
#endif
