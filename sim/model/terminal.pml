/* The terminal: a payment (card/purchase.py), its recovery (card/recovery.py), and what the
 * journal and the customs card settle between them (terminal/settling.py).
 *
 * Each step sends one command, takes the answer and writes the journal. The next command
 * is another step, and the world may do anything in between. A kill between an answer and
 * its journal entry is the same as the answer lost and a kill, which is there.
 */

/* In the journal: nothing is known yet of a payment with this purse. */
#define MAYBE_DEBITED(a, purse) (a < attempts && purse_of[a] == purse \
    && (journal[a] == BEGUN || journal[a] == OPENED && row[journal_tsn[a]] == OPENED))
#define ADOPTED(n, purse) (row[n] == OPENED && PURSE_OF(n) == purse)
#define UNRESOLVED(purse) (ANY_ATTEMPT(MAYBE_DEBITED, purse) || ANY_RECORD(ADOPTED, purse))
#ifdef MUTANT_UNKNOWN_PAYS_AGAIN
#define PAYABLE(a, order) (a >= attempts || order_of[a] != order || WORD(a) != PAID)
#else
#define PAYABLE(a, order) (a >= attempts || order_of[a] != order || WORD(a) == NOT_PAID)
#endif

#define ALL_PAYABLE(order) EVERY_ATTEMPT(PAYABLE, order)

/* What the wire does to a command: it is delivered, or not, or its answer is not, or it is
 * delivered twice and the second answer comes back. */
inline wire_decides() {
    if
    :: fate = ANSWERED; copies = 1
    :: MAY_FAIL -> fault(); fate = LOST_IN
    :: MAY_FAIL -> fault(); fate = LOST_OUT; copies = 1
    :: MAY_FAIL -> fault(); fate = TWICE; copies = 2
#ifdef MUTANT_TEARS             /* inside a command that has two writes */
    :: MAY_FAIL -> fault(); fate = ANSWERED; copies = 1; torn = 1
#endif
    fi
}

#define deliver(command) \
    do \
    :: copies > 0 -> command; copies = copies - 1 \
    :: else -> break \
    od; \
    if \
    :: fate == LOST_IN || fate == LOST_OUT -> sw = LOST \
    :: else \
    fi; \
    tell_fate()

inline tell_fate() {
    if
    :: fate == ANSWERED -> story1("                answered: %e", sw)
    :: fate == LOST_IN -> story("                lost on the way to the card")
    :: fate == LOST_OUT -> story("                carried out, the answer is lost")
    :: fate == TWICE -> story1("                delivered twice, the second answer: %e", sw)
    :: else
    fi
}

#define MAY_PAY (doing == IDLE && !calm && attempts < ATTEMPTS && !UNRESOLVED(reader))

/* An order can be paid when it never was begun, or every attempt ended in "not paid". The
 * first attempt is of order 1 with purse 1: which is called so is only a name. */
inline begin(order) {
    hand_attempt = attempts;
    journal[hand_attempt] = INTENDED;
    purse_of[hand_attempt] = reader; order_of[hand_attempt] = (order);
    attempts = attempts + 1;
    doing = VERIFY_;
    story3("terminal        attempt %d: order %d with purse %d", attempts, 1 + (order),
        1 + reader);
    if
    :: attempts > 1 && order_of[attempts - 2] == (order) -> WITNESS(PAYS_AGAIN)
    :: else
    fi
}

/* INIT SAM was answered: the journal takes the record in. */
inline opened() {
    hand_tsn = found;
    journal[hand_attempt] = OPENED;
    journal_tsn[hand_attempt] = found;
    if
    :: row[found] == NOTHING -> row[found] = OPENED
    :: else
    fi;
    doing = DEBIT_
}

inline purchase_begins() {
    if
    :: sw == SW_9000 && reader == purse_of[hand_attempt] ->
        otc_of[hand_attempt] = session_otc;
        journal[hand_attempt] = BEGUN;
        doing = INIT_SAM_
    :: else ->          /* refused, another card, or no answer: nothing was sent to debit */
        rc_of[hand_attempt] = 0;
        journal[hand_attempt] = REFUSED;
        rest()
    fi
}

inline debit_ends() {
    if
    :: sw == SW_9000 -> row[hand_tsn] = DEBITED; doing = CREDIT_
#ifndef TELLS_LATE
    :: sw == SW_9302 -> told_refused[hand_attempt] = 1; rest()
#endif
#ifdef MUTANT_NO_SESSION_MEANS_REFUSED
    :: sw == SW_6985 -> told_refused[hand_attempt] = 1; rest()
#endif
#ifdef MUTANT_LOST_MEANS_FAILED
    :: sw == LOST -> row[hand_tsn] = NOT_DEBITED; rest()
#endif
    :: else -> rest()   /* outcome unknown */
    fi
}

/* A payment, command by command. */
active proctype Terminal() {
end:
    do
    :: d_step { MAY_PAY && ALL_PAYABLE(0) && (attempts > 0 || reader == 0) -> begin(0); step_ends() }
    :: d_step { MAY_PAY && ALL_PAYABLE(1) && attempts > 0 -> begin(1); step_ends() }

    :: atomic { doing == VERIFY_ -> wire_decides();
        d_step {
            story("terminal        SELECT, VERIFY");
            deliver(SELECT_VERIFY(purse_of[hand_attempt]));
            if
            :: sw == SW_9000 && reader == purse_of[hand_attempt] -> doing = INIT_PURCHASE_
            :: else -> journal[hand_attempt] = REFUSED; rest()
            fi;
            step_ends()
        } }

    :: atomic { doing == INIT_PURCHASE_ -> wire_decides();
        if
        :: rc_of[hand_attempt] = RC_NEW(hand_attempt)
#ifdef RC_REPEATS
        :: rc_of[hand_attempt] = RC_AS_EVER
#endif
        fi;
        d_step {
            story("terminal        INIT PURCHASE");
            deliver(INIT_PURCHASE(order_of[hand_attempt], rc_of[hand_attempt]));
            purchase_begins(); step_ends()
        } }

    :: atomic { doing == INIT_SAM_ -> wire_decides();
        d_step {
            story("terminal        INIT SAM");
            s_sent[hand_attempt] = 1;
            deliver(INIT_SAM(hand_attempt));
            if
            :: sw == SW_9000 -> opened()
            :: sw == LOST -> rest()
            :: else -> journal[hand_attempt] = REFUSED; rest()
            fi;
            step_ends()
        } }

    :: atomic { doing == DEBIT_ -> wire_decides();
        d_step {
            story1("terminal        DEBIT, tsn %d", 1 + hand_tsn);
            debit_sent[hand_tsn] = 1;
            deliver(DEBIT(hand_tsn));
            debit_ends(); step_ends()
        } }

    :: atomic { doing == CREDIT_ -> wire_decides();
        d_step {
            story1("terminal        CREDIT, tsn %d", 1 + hand_tsn);
            deliver(CREDIT(hand_tsn));
            if
            :: sw == SW_9000 -> row[hand_tsn] = BOOKED; WITNESS(CREDITED)
            :: sw == SW_9302 -> row[hand_tsn] = OPENED
            :: else
            fi;
            rest(); step_ends()
        } }
    od
}

/* Recovery with the purse: PROVE, then CREDIT; or VOID on both cards. */
active proctype Recovery() {
end:
    do
    :: atomic { doing == PROVE_ -> wire_decides();
        d_step {
            story1("recovery        PROVE, tsn %d", 1 + hand_tsn);
            deliver(PROVE(reader, hand_tsn));
            if
            :: sw == SW_9000 -> row[hand_tsn] = DEBITED; doing = CREDIT_; WITNESS(PROVED)
            :: sw == SW_9406 ->
#ifdef MUTANT_NO_VOID
                rest()
#else
                doing = VOID_PURSE_
#endif
            :: else -> rest()
            fi;
            step_ends()
        } }

    :: atomic { doing == VOID_PURSE_ -> wire_decides();
        d_step {
            story1("recovery        VOID to the purse, tsn %d", 1 + hand_tsn);
            deliver(VOID_PURSE(reader, hand_tsn));
            if
            :: sw == SW_9000 -> doing = VOID_CUSTOMS_
            :: else -> rest()
            fi;
            step_ends()
        } }

    :: atomic { doing == VOID_CUSTOMS_ -> wire_decides();
        d_step {
            story1("recovery        VOID to the customs card, tsn %d", 1 + hand_tsn);
            deliver(VOID_CUSTOMS(hand_tsn));
            if
            :: sw == SW_9000 -> row[hand_tsn] = NOT_DEBITED; WITNESS(VOIDED_BY_RECOVERY)
            :: else
            fi;
            rest(); step_ends()
        } }
    od
}
