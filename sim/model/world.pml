/* What there is: bounds, status words, the memories of the cards, of the terminal and
 * of the bank, and what was ever sent over the wire.
 *
 * Cryptography is abstract. A MAC is never a number here: it is the fact that a holder of
 * the key made it for one content, and it verifies for that content alone. The content of
 * a session, of S and of an open record is (purse, otc, order, Rc); the order stands for
 * amount, currency and D. Attempts and records point at it.
 */

#ifndef ATTEMPTS
#define ATTEMPTS 3              /* payments that are begun in all */
#endif
#ifndef RECORDS
#define RECORDS 3               /* numbers (tsn) of the customs card */
#endif
#if defined(MUTANT_MAC1_BEFORE_RECORD) || defined(MUTANT_ANSWER_BEFORE_DEBIT) || \
    defined(MUTANT_CREDIT_THEN_REMOVE) || defined(MUTANT_REMOVE_THEN_CREDIT)
#define MUTANT_TEARS
#endif
#define PURSES 2
#define ORDERS 2                /* declarations that are to be paid once */
#define NUMBERS (ATTEMPTS + 1)  /* numbers (otc) of one purse */
#define RUNS_MAX (2 * RECORDS + ATTEMPTS + 2)  /* of recovery, after faults stop */

#define OPENING 3               /* balance of each purse, in units */
#define AMOUNT(order) ((order) + 1)

/* Status words, or no answer at all; and what the wire does to a command. */
mtype = {
    SW_9000,                    /* done */
    SW_6985,                    /* no session */
    SW_9302,                    /* MAC wrong; also what else DEBIT refuses for */
    SW_9401,                    /* INIT PURCHASE: PIN, balance or number do not allow it */
    SW_9406,                    /* no proof */
    SW_6A83,                    /* no record */
    SW_9402,                    /* counter at its end */
    LOST                        /* outcome unknown */
}
#define ANSWERED 1
#define LOST_IN  2
#define LOST_OUT 3
#define TWICE    4

/* -- purses: non-volatile ------------------------------------------------------------ */
#define UNUSED 0
#define BURNED 1
#define SPENT_ON(tsn) (2 + (tsn))
byte otc_next[PURSES];
byte cumulative[PURSES];                  /* cumulativeDebit */
byte ring[PURSES * NUMBERS];              /* the proof ring by otc: one of the above */
#define RING(purse, otc) ring[(purse) * NUMBERS + (otc)]
#define BALANCE(purse) (OPENING - cumulative[purse])

/* -- purses: volatile; only the purse in the reader has power --------------------------- */
byte reader;                              /* the purse that lies in it */
bit pin;                                  /* VERIFY went well */
byte session;                             /* 0, or 1 + order */
byte session_otc;
byte session_rc;

/* Rc is 8 random bytes. It is chosen anew (a value of its own) or, the worst that a poor
 * source can do, it is the same as ever (0): the value properties must not hang on it. */
#define RC_AS_EVER 0
#define RC_NEW(attempt) (1 + (attempt))
#define RC_NOBODYS (1 + ATTEMPTS)

/* -- customs card: non-volatile ---------------------------------------------------------- */
#define FREE     0
#define OPEN     1                        /* in the open table */
#define CREDITED 2                        /* in the current batch */
#define BATCHED  3                        /* in a closed batch that waits for its BANK ACK */
#define RELEASED 4                        /* acknowledged by the bank */
#define VOIDED   5                        /* closed by VMAC */
byte tsn_next;
byte record[RECORDS];                     /* by tsn: one of the above */
byte record_of[RECORDS];                  /* the attempt whose INIT SAM opened it */
byte total;                               /* all that was ever credited */
#define IS_CREDITED(tsn) \
    (record[tsn] == CREDITED || record[tsn] == BATCHED || record[tsn] == RELEASED)

/* -- terminal: the journal, which survives --------------------------------------------- */
#define NOTHING     0
#define INTENDED    1
#define BEGUN       2
#define OPENED      3                     /* for an attempt: see the row of its record */
#define DEBITED     4
#define BOOKED      5                     /* the journal's state "credited" */
#define REFUSED     6
#define NOT_DEBITED 7
byte attempts;                            /* begun so far */
byte journal[ATTEMPTS];                   /* until a record is known */
byte journal_tsn[ATTEMPTS];               /* the record, once OPENED */
byte row[RECORDS];                        /* OPENED, DEBITED, BOOKED or NOT_DEBITED */
bit told_refused[ATTEMPTS];               /* DEBIT was refused; the screen said so */

/* The content of each attempt, fixed by INIT PURCHASE. */
byte purse_of[ATTEMPTS];
byte order_of[ATTEMPTS];
byte otc_of[ATTEMPTS];
byte rc_of[ATTEMPTS];

/* -- terminal: volatile -------------------------------------------------------------------- */
#define IDLE           0
#define VERIFY_        1
#define INIT_PURCHASE_ 2
#define INIT_SAM_      3
#define DEBIT_         4
#define CREDIT_        5
#define PROVE_         6
#define VOID_PURSE_    7
#define VOID_CUSTOMS_  8
byte doing;                               /* the command that is sent next */
byte hand_attempt;                        /* in hand: the attempt */
byte hand_tsn;                            /* in hand: the record */

/* -- bank -------------------------------------------------------------------------------------- */
byte paid[RECORDS];                       /* times that a payment was posted */
byte open_known[RECORDS];                 /* 1: went up as open; 2: and was resolved */

/* -- what was ever sent ------------------------------------------------------------------- */
bit s_sent[ATTEMPTS];                     /* INIT SAM with its S */
bit debit_sent[RECORDS];                  /* DEBIT with its MAC1 */
bit vmac_sent[RECORDS];                   /* the purse's VMAC */
/* MAC2 and TAC need no bit: PROVE gives them to anybody who has the purse. VREQ needs
 * none: LIST OPEN gives it to anybody who has the customs card. */

/* -- ghosts, for the properties alone -------------------------------------------------------- */
byte debited;                             /* units, by all purses */
byte debits[ORDERS];                      /* DEBITs that paid an order */
bit calm;                                 /* faults have stopped for good */
byte runs;                                /* of recovery since then */

/* Faults: without FAULTS there is no end of them. */
#ifdef FAULTS
byte faults;
#define MAY_FAIL (!calm && faults < FAULTS)
inline fault() { faults = faults + 1 }
#else
#define MAY_FAIL (!calm)
inline fault() { skip }
#endif

/* Scratch of one atomic step, 0 between steps. */
mtype sw;
byte fate;
byte copies;
bit torn;
byte i;
byte found;
byte n;                                   /* the record that is picked */
byte a;                                   /* the attempt that is picked */

/* -- contents and MACs ------------------------------------------------------------------------ */
#define PURSE_OF(tsn) purse_of[record_of[tsn]]
#define ORDER_OF(tsn) order_of[record_of[tsn]]
#define OTC_OF(tsn)   otc_of[record_of[tsn]]
#define RC_OF(tsn)    rc_of[record_of[tsn]]

/* The purse was debited for this record, under the record's own number. */
#define WAS_DEBITED(tsn) (RING(PURSE_OF(tsn), OTC_OF(tsn)) == SPENT_ON(tsn))

#ifdef MUTANT_COUNTER_WRAPS
#define COUNTER(otc) ((otc) % 2)          /* as 2^16, but within these bounds */
#else
#define COUNTER(otc) (otc)
#endif
#define MAC1_FITS(tsn) (reader == PURSE_OF(tsn) && session == 1 + ORDER_OF(tsn) \
    && COUNTER(session_otc) == COUNTER(OTC_OF(tsn)) && session_rc == RC_OF(tsn))

#ifdef MUTANT_ANSWER_BEFORE_DEBIT
bit mac2_made[RECORDS];
#define MAC2_FITS(tsn) (WAS_DEBITED(tsn) || mac2_made[tsn])
#else
#define MAC2_FITS(tsn) WAS_DEBITED(tsn)
#endif
#define TAC_FITS(tsn) MAC2_FITS(tsn)

/* -- quantifiers, and a free choice among those that qualify ---------------------------- */
#if ATTEMPTS == 3
#define ANY_ATTEMPT(p, x) (p(0, x) || p(1, x) || p(2, x))
#define EVERY_ATTEMPT(p, x) (p(0, x) && p(1, x) && p(2, x))
#define EVERY_NUMBER(p, x) (p(0, x) && p(1, x) && p(2, x) && p(3, x))
#define pick_attempt(p, x) if :: p(0, x) :: p(1, x) -> a = 1 :: p(2, x) -> a = 2 fi
#elif ATTEMPTS == 2
#define ANY_ATTEMPT(p, x) (p(0, x) || p(1, x))
#define EVERY_ATTEMPT(p, x) (p(0, x) && p(1, x))
#define EVERY_NUMBER(p, x) (p(0, x) && p(1, x) && p(2, x))
#define pick_attempt(p, x) if :: p(0, x) :: p(1, x) -> a = 1 fi
#else
#error "ATTEMPTS is 2 or 3"
#endif
#if RECORDS == 3
#define ANY_RECORD(p, x) (p(0, x) || p(1, x) || p(2, x))
#define EVERY_RECORD(p, x) (p(0, x) && p(1, x) && p(2, x))
#define pick_record(p, x) if :: p(0, x) :: p(1, x) -> n = 1 :: p(2, x) -> n = 2 fi
#elif RECORDS == 2
#define ANY_RECORD(p, x) (p(0, x) || p(1, x))
#define EVERY_RECORD(p, x) (p(0, x) && p(1, x))
#define pick_record(p, x) if :: p(0, x) :: p(1, x) -> n = 1 fi
#else
#error "RECORDS is 2 or 3"
#endif

/* -- the terminal's word ------------------------------------------------------------------ */
#define UNKNOWN  0
#define PAID     1
#define NOT_PAID 2
#define RECORD_WORD(tsn) \
    (row[tsn] == DEBITED || row[tsn] == BOOKED -> PAID : \
    (row[tsn] == NOT_DEBITED -> NOT_PAID : UNKNOWN))
/* What the screen says of an attempt; it comes from the journal, also after a restart. */
#define WORD(a) \
    (journal[a] == REFUSED || journal[a] == NOT_DEBITED -> NOT_PAID : \
    (journal[a] != OPENED -> UNKNOWN : \
    (RECORD_WORD(journal_tsn[a]) == UNKNOWN && told_refused[a] -> NOT_PAID : \
        RECORD_WORD(journal_tsn[a]))))
