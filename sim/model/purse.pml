/* The purse: its commands, as the card profile's "Commands: purse". Each leaves a status
 * word in `sw`. A comment in braces is one atomic commit ("Order of non-volatile writes");
 * no command has two.
 */

inline purse_loses_power() {
    pin = 0; session = 0; session_otc = 0; session_rc = 0
}

inline end_session() {
    session = 0; session_otc = 0; session_rc = 0
}

/* SELECT drops session and PIN; the customer's PIN is right for the customer's purse. */
inline SELECT_VERIFY(purse) {
    purse_loses_power();
    pin = (reader == (purse));
    sw = SW_9000
}

/* INIT PURCHASE. A repeated one replaces the session: same number, new Rc; a refused one
 * ends it. The number FFFFFFFF is never used. */
inline INIT_PURCHASE(order, rc) {
    end_session();
    if
    :: !pin || AMOUNT(order) > BALANCE(reader) || otc_next[reader] == NUMBERS -> sw = SW_9401
    :: else ->
        session = 1 + (order); session_otc = otc_next[reader]; session_rc = rc;
        sw = SW_9000
    fi
}

/* {balance, otc + 1, cumulativeDebit, ring entry} */
inline commit_debit(tsn) {
    cumulative[reader] = cumulative[reader] + AMOUNT(session - 1);
    RING(reader, session_otc) = SPENT_ON(tsn);
    otc_next[reader] = session_otc + 1;
    debited = debited + AMOUNT(session - 1);
    debits[session - 1] = debits[session - 1] + 1
}

/* DEBIT: the session is killed first; then the checks; then the commit; then the answer. */
inline DEBIT(tsn) {
    if
    :: !session -> sw = SW_6985
    :: session && !pin -> sw = SW_9302
    :: session && pin && !MAC1_FITS(tsn) -> sw = SW_9302
    :: session && pin && MAC1_FITS(tsn) && AMOUNT(session - 1) > BALANCE(reader) -> sw = SW_9302
#ifdef MUTANT_ANSWER_BEFORE_DEBIT
    :: session && pin && MAC1_FITS(tsn) && AMOUNT(session - 1) <= BALANCE(reader) && torn ->
        story1("purse           torn: DEBIT (tsn %d) is answered, and never written", 1 + tsn);
        mac2_made[tsn] = 1; sw = SW_9000
#endif
    :: else -> commit_debit(tsn); sw = SW_9000
    fi;
#ifndef MUTANT_SESSION_SURVIVES_DEBIT
    purse_loses_power()
#endif
}

/* PROVE, out of the proof ring. */
inline PROVE(purse, tsn) {
    if
    :: purse == PURSE_OF(tsn) && WAS_DEBITED(tsn) -> sw = SW_9000
    :: else -> sw = SW_9406
    fi
}

/* VOID: a wrong VREQ 9302; then (a) the otc is the next and is burned, (b) the ring holds
 * it as void, (c) the ring holds it as a purchase with another tsn; otherwise 9406. */
inline VOID_PURSE(purse, tsn) {
    if
    :: purse != PURSE_OF(tsn) -> sw = SW_9302
    :: purse == PURSE_OF(tsn) && OTC_OF(tsn) == otc_next[purse] ->
        burn(purse, tsn); vmac_sent[tsn] = 1; sw = SW_9000
    :: purse == PURSE_OF(tsn) && OTC_OF(tsn) < otc_next[purse] &&
            RING(purse, OTC_OF(tsn)) != SPENT_ON(tsn) ->
        if
        :: RING(purse, OTC_OF(tsn)) != BURNED -> WITNESS(VOID_OF_ANOTHER_TSN)
        :: else
        fi;
        vmac_sent[tsn] = 1; sw = SW_9000
#ifdef MUTANT_VOID_OF_A_DEBIT
    :: purse == PURSE_OF(tsn) && WAS_DEBITED(tsn) -> vmac_sent[tsn] = 1; sw = SW_9000
#endif
    :: else -> sw = SW_9406
    fi
}

/* {ring entry of kind void, otc + 1}; and the session is killed. */
inline burn(purse, tsn) {
#ifndef MUTANT_VOID_KEEPS_SESSION
    if
    :: purse == reader -> end_session()
    :: else
    fi;
#endif
#ifndef MUTANT_VOID_WITHOUT_BURN
    RING(purse, OTC_OF(tsn)) = BURNED;
    otc_next[purse] = OTC_OF(tsn) + 1
#endif
}
