/* The wire and the world as adversary: whatever can be pulled out, switched off, killed or
 * delivered once more, at any time and any number of times.
 *
 * What is lost on the way in or out, and what is delivered twice, is in `wire_decides` of
 * terminal.pml. A card that is torn inside a command is one of these: before its commit, the
 * command is lost and the card loses power; after it, the answer is lost and the card
 * loses power. There is no third, for no command has two commits.
 */

/* The terminal has nothing in hand; also after a kill. */
inline rest() {
    doing = IDLE; hand_attempt = 0; hand_tsn = 0
}

active proctype World() {
end:
    do
    :: d_step { MAY_FAIL && (pin || session) ->
        fault(); purse_loses_power();
        story("purse           loses power") }
    :: d_step { MAY_FAIL && doing != IDLE ->
        fault(); purse_loses_power(); reader = 1 - reader;
        story1("purse           taken out; in the reader: purse %d", 1 + reader) }
    :: d_step { !calm && doing == IDLE ->       /* the next customer: no fault */
        purse_loses_power(); reader = 1 - reader;
        story1("purse           taken out; in the reader: purse %d", 1 + reader) }
    :: d_step { !calm ->                        /* not counted: in the right design it changes nothing */
        customs_card_loses_power();
        story("customs card    loses power") }
    :: d_step { MAY_FAIL && doing != IDLE ->
        fault(); rest();
        story("terminal        is killed, and starts again") }
    od
}

#define PIN_WAS_SENT(a, x) (a < attempts && purse_of[a] == reader)
#define S_WAS_SENT(a, x) (a < attempts && s_sent[a])
#ifdef SPLICE                   /* a DEBIT may also be made of a MAC1 that was only answered */
#define MAC1_WAS_SENT(n, x) (record[n] != FREE && session && pin)
#else
#define MAC1_WAS_SENT(n, x) (debit_sent[n] && session && pin)
#endif
#define VREQ_WAS_SENT(n, x) (record[n] != FREE && !vmac_sent[n])
#define MAC2_WAS_SENT(n, x) (record[n] != FREE && MAC2_FITS(n))
#define VMAC_WAS_SENT(n, x) (vmac_sent[n] && record[n] == OPEN)
#define BATCH_WAS_SENT(n, x) (record[n] == BATCHED && paid[n])

/* Messages that were sent once, delivered again. */
active proctype Wire() {
end:
    do
    :: atomic { MAY_FAIL && ANY_ATTEMPT(PIN_WAS_SENT, 0) ->
        pick_attempt(PIN_WAS_SENT, 0);
        if
        :: true
#ifdef RC_REPEATS
        :: found = 1
#endif
        fi;
        d_step {
            fault();
            pin = 1;
            INIT_PURCHASE(order_of[a], (found -> RC_AS_EVER : RC_NOBODYS));
            story1("wire            VERIFY and INIT PURCHASE again, of attempt %d", 1 + a);
            step_ends()
        } }
    :: atomic { MAY_FAIL && ANY_ATTEMPT(S_WAS_SENT, 0) -> pick_attempt(S_WAS_SENT, 0);
        d_step {
            fault();
            INIT_SAM(a);
            story2("wire            INIT SAM again, of attempt %d: %e", 1 + a, sw);
            step_ends()
        } }
    :: atomic { MAY_FAIL && ANY_RECORD(MAC1_WAS_SENT, 0) -> pick_record(MAC1_WAS_SENT, 0);
        d_step {
            fault();
            DEBIT(n);
            story2("wire            DEBIT again, tsn %d: %e", 1 + n, sw);
            if
            :: sw == SW_9000 -> WITNESS(DEBIT_DELIVERED_LATE)
            :: else -> WITNESS(OLD_DEBIT_REFUSED)
            fi;
            step_ends()
        } }
    :: atomic { MAY_FAIL && ANY_RECORD(VREQ_WAS_SENT, 0) -> pick_record(VREQ_WAS_SENT, 0);
        d_step {
            fault();
            VOID_PURSE(reader, n);
            story2("wire            VOID to the purse again, tsn %d: %e", 1 + n, sw); step_ends()
        } }
    :: atomic { MAY_FAIL && ANY_RECORD(MAC2_WAS_SENT, 0) -> pick_record(MAC2_WAS_SENT, 0);
        d_step {
            fault();
            CREDIT(n);
            story2("wire            CREDIT again, tsn %d: %e", 1 + n, sw); step_ends()
        } }
    :: atomic { MAY_FAIL && ANY_RECORD(VMAC_WAS_SENT, 0) -> pick_record(VMAC_WAS_SENT, 0);
        d_step {
            fault();
            VOID_CUSTOMS(n);
            story2("wire            VOID to the customs card again, tsn %d: %e", 1 + n, sw);
            step_ends()
        } }
#ifdef DAY
    :: d_step { MAY_FAIL && ANY_RECORD(BATCH_WAS_SENT, 0) ->
        fault(); BATCH_UPLOAD();
        story("wire            the batch again, to the bank");
        WITNESS(BATCH_SENT_AGAIN); step_ends() }
    :: d_step { MAY_FAIL && ANY_RECORD(BATCH_WAS_SENT, 0) ->
        fault(); BANK_ACK();
        story("wire            BANK ACK again, to the customs card"); step_ends() }
#endif
    od
}
