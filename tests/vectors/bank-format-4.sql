BEGIN TRANSACTION;
CREATE TABLE account (
	id INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	owner VARCHAR NOT NULL, 
	currency INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	opened_at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (kind, owner, currency)
);
INSERT INTO "account" VALUES(1,'customer','0100000001',512,'Al Bahr Trading LLC','2025-11-22T10:15:00.000000Z');
INSERT INTO "account" VALUES(2,'core-bank clearing','bank',512,'Core bank','2025-11-22T10:15:00.000000Z');
INSERT INTO "account" VALUES(3,'customs revenue','SOHAR',512,'SOHAR fees','2025-11-22T10:15:00.000000Z');
INSERT INTO "account" VALUES(4,'customs deposits','SOHAR',512,'SOHAR deposits','2025-11-22T10:15:00.000000Z');
INSERT INTO "account" VALUES(5,'merchant','SOHAR',512,'SOHAR purchase','2025-11-22T10:15:00.000000Z');
INSERT INTO "account" VALUES(6,'suspense','bank',512,'Suspense','2025-11-22T10:15:00.000000Z');
INSERT INTO "account" VALUES(7,'purse float','6400000000000001',512,'Al Bahr Trading LLC','2025-11-22T10:15:00.000000Z');
INSERT INTO "account" VALUES(8,'purse float','6400000000000002',512,'Al Bahr Trading LLC','2025-11-22T10:15:00.000000Z');
CREATE TABLE audit_head (
	terminal_id VARCHAR(8) NOT NULL, 
	serial INTEGER NOT NULL, 
	mid BLOB NOT NULL, 
	batch INTEGER NOT NULL, 
	journal BLOB NOT NULL, 
	entries INTEGER NOT NULL, 
	digest BLOB NOT NULL, 
	received_at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (terminal_id, serial), 
	UNIQUE (terminal_id, mid, batch, journal, entries, digest), 
	FOREIGN KEY(terminal_id, mid, batch) REFERENCES batch (terminal_id, mid, batch)
);
INSERT INTO "audit_head" VALUES('T0000007',1,X'4355530000000007',1,X'0000000000000000',1,X'0000000000000000000000000000000000000000000000000000000000000000','2025-11-22T10:15:00.000000Z');
CREATE TABLE batch (
	terminal_id VARCHAR(8) NOT NULL, 
	mid BLOB NOT NULL, 
	batch INTEGER NOT NULL, 
	office VARCHAR NOT NULL, 
	currency INTEGER NOT NULL, 
	count INTEGER NOT NULL, 
	sum_minor INTEGER NOT NULL, 
	open_count INTEGER NOT NULL, 
	open_sum_minor INTEGER NOT NULL, 
	chain BLOB NOT NULL, 
	mac BLOB NOT NULL, 
	opened_at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (terminal_id, mid, batch)
);
INSERT INTO "batch" VALUES('T0000007',X'4355530000000007',1,'SOHAR',512,4,3340,1,70,X'85C49FA2C020F400BF8E0F137A7703B8',X'A0FF44894E3F2882161B6892DCF6AF49','2025-11-22T10:15:00.000000Z');
CREATE TABLE batch_collected (
	terminal_id VARCHAR(8) NOT NULL, 
	mid BLOB NOT NULL, 
	batch INTEGER NOT NULL, 
	ack_mac BLOB NOT NULL, 
	posted_count INTEGER NOT NULL, 
	posted_minor INTEGER NOT NULL, 
	suspended_count INTEGER NOT NULL, 
	suspended_minor INTEGER NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (terminal_id, mid, batch), 
	FOREIGN KEY(terminal_id, mid, batch) REFERENCES batch (terminal_id, mid, batch)
);
INSERT INTO "batch_collected" VALUES('T0000007',X'4355530000000007',1,X'C552CACDA764C98FCAD94424E48BA9BB',2,3000,2,340,'2025-11-22T10:15:00.000000Z');
CREATE TABLE certificate (
	terminal_id VARCHAR(8) NOT NULL, 
	number INTEGER NOT NULL, 
	serial BLOB NOT NULL, 
	not_before VARCHAR(27) NOT NULL, 
	not_after VARCHAR(27) NOT NULL, 
	issued_for VARCHAR NOT NULL, 
	issued_by VARCHAR NOT NULL, 
	issued_at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (terminal_id, number), 
	CONSTRAINT issued_for_known CHECK (issued_for IN ('admission', 'renewal', 'request')), 
	UNIQUE (serial)
);
CREATE TABLE certificate_revoked (
	terminal_id VARCHAR(8) NOT NULL, 
	number INTEGER NOT NULL, 
	reason VARCHAR NOT NULL, 
	revoked_by VARCHAR NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (terminal_id, number), 
	FOREIGN KEY(terminal_id, number) REFERENCES certificate (terminal_id, number)
);
CREATE TABLE certificate_seen (
	terminal_id VARCHAR(8) NOT NULL, 
	number INTEGER NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (terminal_id, number), 
	FOREIGN KEY(terminal_id, number) REFERENCES certificate (terminal_id, number)
);
CREATE TABLE entry (
	id INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	cid BLOB, 
	currency INTEGER NOT NULL, 
	amount_minor INTEGER NOT NULL, 
	booked_at VARCHAR(27) NOT NULL, 
	memo VARCHAR NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (kind, subject, number), 
	CONSTRAINT amount_more_than_zero CHECK (amount_minor > 0)
);
INSERT INTO "entry" VALUES(1,'opening deposit','0100000001',1,NULL,512,5000000,'2025-11-22T10:15:00.000000Z','');
INSERT INTO "entry" VALUES(2,'load','6400000000000001',1,X'6400000000000001',512,500000,'2025-11-22T10:15:00.000000Z','card 640000******0001');
INSERT INTO "entry" VALUES(3,'load','6400000000000002',1,X'6400000000000002',512,300000,'2025-11-22T10:15:00.000000Z','card 640000******0002');
INSERT INTO "entry" VALUES(4,'payment','6400000000000001',1,X'6400000000000001',512,1000,'2025-11-22T10:15:00.000000Z','');
INSERT INTO "entry" VALUES(5,'payment','6400000000000002',1,X'6400000000000002',512,2000,'2025-11-22T10:15:00.000000Z','');
INSERT INTO "entry" VALUES(6,'payment','6400000000000001',2,X'6400000000000001',512,300,'2025-11-22T10:15:00.000000Z','');
INSERT INTO "entry" VALUES(7,'load','6400000000000001',2,X'6400000000000001',512,7,'2025-11-22T10:15:00.000000Z','card 640000******0001');
INSERT INTO "entry" VALUES(8,'load reversal','6400000000000001',2,X'6400000000000001',512,7,'2025-11-22T10:15:00.000000Z','card 640000******0001');
INSERT INTO "entry" VALUES(9,'load','6400000000000002',2,X'6400000000000002',512,9,'2025-11-22T10:15:00.000000Z','card 640000******0002');
INSERT INTO "entry" VALUES(10,'deposit','0100000001',1,NULL,512,11,'2025-11-22T10:15:00.000000Z','');
CREATE TABLE hotlist (
	cid BLOB NOT NULL, 
	serial INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	listed BOOLEAN NOT NULL, 
	reason VARCHAR NOT NULL, 
	since VARCHAR(27) NOT NULL, 
	PRIMARY KEY (cid, serial)
);
INSERT INTO "hotlist" VALUES(X'6400000000000002',1,1,1,'lost','2025-11-22T10:15:00.000000Z');
CREATE TABLE incident (
	id INTEGER NOT NULL, 
	fingerprint BLOB NOT NULL, 
	code VARCHAR NOT NULL, 
	terminal_id VARCHAR NOT NULL, 
	batch INTEGER, 
	stan INTEGER, 
	masked_card VARCHAR NOT NULL, 
	amount_minor INTEGER, 
	text VARCHAR NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (fingerprint)
);
INSERT INTO "incident" VALUES(1,X'EC0AD0399E98125AC3E09D4824679ED38A982733EF140A0D38C7BA734D22B9E0','details unknown','T0000007',1,3,'640000******0001',300,'the terminal does not know what was paid; held in suspense','2025-11-22T10:15:00.000000Z');
INSERT INTO "incident" VALUES(2,X'612D5D029A7D72146E433C1AEC05162AE6CDA277307C4AAE2A36104DA3FCECD2','TAC wrong','T0000007',1,4,'640000******0002',40,'the purse''s certificate (TAC) is wrong; not paid','2025-11-22T10:15:00.000000Z');
INSERT INTO "incident" VALUES(3,X'61929555D5B5A5630E53F917248B8C8335B412F891AF16094FE3FB0089DA6EEB','outcome open','T0000007',1,501,'640000******0001',70,'payment 1 of the customs card, begun 2025-11-22 10:15 UTC: nobody knows yet whether the purse was debited','2025-11-22T10:15:00.000000Z');
CREATE TABLE incident_closed (
	incident_id INTEGER NOT NULL, 
	text VARCHAR NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (incident_id), 
	FOREIGN KEY(incident_id) REFERENCES incident (id)
);
INSERT INTO "incident_closed" VALUES(3,'by itself (next payment): the purse was not debited and never can be','2025-11-22T10:15:00.000000Z');
CREATE TABLE leg (
	entry_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	debit_minor INTEGER NOT NULL, 
	credit_minor INTEGER NOT NULL, 
	PRIMARY KEY (entry_id, number), 
	CONSTRAINT debit_or_credit CHECK (debit_minor >= 0 AND credit_minor >= 0 AND (debit_minor = 0) <> (credit_minor = 0)), 
	FOREIGN KEY(entry_id) REFERENCES entry (id) DEFERRABLE INITIALLY DEFERRED, 
	FOREIGN KEY(account_id) REFERENCES account (id)
);
INSERT INTO "leg" VALUES(1,1,2,5000000,0);
INSERT INTO "leg" VALUES(1,2,1,0,5000000);
INSERT INTO "leg" VALUES(2,1,1,500000,0);
INSERT INTO "leg" VALUES(2,2,7,0,500000);
INSERT INTO "leg" VALUES(3,1,1,300000,0);
INSERT INTO "leg" VALUES(3,2,8,0,300000);
INSERT INTO "leg" VALUES(4,1,7,1000,0);
INSERT INTO "leg" VALUES(4,2,3,0,1000);
INSERT INTO "leg" VALUES(5,1,8,2000,0);
INSERT INTO "leg" VALUES(5,2,4,0,2000);
INSERT INTO "leg" VALUES(6,1,7,300,0);
INSERT INTO "leg" VALUES(6,2,6,0,300);
INSERT INTO "leg" VALUES(7,1,1,7,0);
INSERT INTO "leg" VALUES(7,2,7,0,7);
INSERT INTO "leg" VALUES(8,1,7,7,0);
INSERT INTO "leg" VALUES(8,2,1,0,7);
INSERT INTO "leg" VALUES(9,1,1,9,0);
INSERT INTO "leg" VALUES(9,2,8,0,9);
INSERT INTO "leg" VALUES(10,1,2,11,0);
INSERT INTO "leg" VALUES(10,2,1,0,11);
CREATE TABLE load (
	cid BLOB NOT NULL, 
	ltc INTEGER NOT NULL, 
	lid BLOB NOT NULL, 
	lsn INTEGER NOT NULL, 
	amount_minor INTEGER NOT NULL, 
	currency INTEGER NOT NULL, 
	kv INTEGER NOT NULL, 
	card_balance_minor INTEGER NOT NULL, 
	rc BLOB NOT NULL, 
	m1 BLOB NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (cid, ltc), 
	CONSTRAINT amount_more_than_zero CHECK (amount_minor > 0), 
	FOREIGN KEY(cid) REFERENCES purse (cid), 
	UNIQUE (lsn)
);
INSERT INTO "load" VALUES(X'6400000000000001',1,X'4445534B30303031',1,500000,512,1,0,X'0000000000000001',X'A46D3030173FAA54','2025-11-22T10:15:00.000000Z');
INSERT INTO "load" VALUES(X'6400000000000002',1,X'4445534B30303031',2,300000,512,1,0,X'0000000000000001',X'B8D5695B818EE9C0','2025-11-22T10:15:00.000000Z');
INSERT INTO "load" VALUES(X'6400000000000001',2,X'4445534B30303031',3,7,512,1,498700,X'0000000000000003',X'6DE84148A3806EC8','2025-11-22T10:15:00.000000Z');
INSERT INTO "load" VALUES(X'6400000000000002',2,X'4445534B30303031',4,9,512,1,297960,X'0000000000000002',X'EAF1E8D39C35EB0D','2025-11-22T10:15:00.000000Z');
CREATE TABLE load_outcome (
	cid BLOB NOT NULL, 
	ltc INTEGER NOT NULL, 
	outcome VARCHAR NOT NULL, 
	balance_after_minor INTEGER, 
	proof BLOB NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (cid, ltc), 
	FOREIGN KEY(cid, ltc) REFERENCES load (cid, ltc), 
	CONSTRAINT outcome_known CHECK (outcome IN ('completed', 'voided'))
);
INSERT INTO "load_outcome" VALUES(X'6400000000000001',1,'completed',500000,X'2E34703876703119','2025-11-22T10:15:00.000000Z');
INSERT INTO "load_outcome" VALUES(X'6400000000000002',1,'completed',300000,X'2BB04C17F392E058','2025-11-22T10:15:00.000000Z');
INSERT INTO "load_outcome" VALUES(X'6400000000000001',2,'voided',NULL,X'238F5D8EA6DAE0CE','2025-11-22T10:15:00.000000Z');
CREATE TABLE open_record (
	mid BLOB NOT NULL, 
	tsn INTEGER NOT NULL, 
	terminal_id VARCHAR(8) NOT NULL, 
	batch INTEGER NOT NULL, 
	cid BLOB NOT NULL, 
	otc INTEGER NOT NULL, 
	lsn_then INTEGER NOT NULL, 
	incident_id INTEGER NOT NULL, 
	at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (mid, tsn), 
	FOREIGN KEY(terminal_id, mid, batch, tsn) REFERENCES open_report (terminal_id, mid, batch, tsn), 
	FOREIGN KEY(incident_id) REFERENCES incident (id)
);
INSERT INTO "open_record" VALUES(X'4355530000000007',1,'T0000007',1,X'6400000000000001',1,2,3,'2025-11-22T10:15:00.000000Z');
CREATE TABLE open_report (
	terminal_id VARCHAR(8) NOT NULL, 
	mid BLOB NOT NULL, 
	batch INTEGER NOT NULL, 
	tsn INTEGER NOT NULL, 
	stan INTEGER NOT NULL, 
	tx BLOB NOT NULL, 
	cid BLOB NOT NULL, 
	otc INTEGER NOT NULL, 
	amount_minor INTEGER NOT NULL, 
	kv INTEGER NOT NULL, 
	rc BLOB NOT NULL, 
	details VARCHAR, 
	received_at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (terminal_id, mid, batch, tsn), 
	FOREIGN KEY(terminal_id, mid, batch) REFERENCES batch (terminal_id, mid, batch)
);
INSERT INTO "open_report" VALUES('T0000007',X'4355530000000007',1,1,501,X'010664000000000000010000000143555300000000070000000100000046051220251122101500815541D3C6496F4C',X'6400000000000001',1,70,1,X'0000000000000002',NULL,'2025-11-22T10:15:00.000000Z');
CREATE TABLE open_resolution (
	mid BLOB NOT NULL, 
	tsn INTEGER NOT NULL, 
	how VARCHAR NOT NULL, 
	debited BOOLEAN NOT NULL, 
	balance_after_minor INTEGER, 
	cumulative_debit_minor INTEGER, 
	tac BLOB, 
	mac2 BLOB, 
	vmac BLOB, 
	at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (mid, tsn), 
	FOREIGN KEY(mid, tsn) REFERENCES open_record (mid, tsn), 
	CONSTRAINT how_known CHECK ((how IN ('next payment', 'load') AND NOT debited) OR (how = 'delivered' AND debited) OR how = 'card desk'), 
	CONSTRAINT voided_with_vmac CHECK ((how = 'card desk' AND NOT debited) = (vmac IS NOT NULL)), 
	CONSTRAINT debited_with_proof CHECK ((how = 'card desk' AND debited) = (tac IS NOT NULL) AND (tac IS NULL) = (mac2 IS NULL) AND (tac IS NULL) = (balance_after_minor IS NULL) AND (tac IS NULL) = (cumulative_debit_minor IS NULL))
);
INSERT INTO "open_resolution" VALUES(X'4355530000000007',1,'next payment',0,NULL,NULL,NULL,NULL,NULL,'2025-11-22T10:15:00.000000Z');
CREATE TABLE payment (
	cid BLOB NOT NULL, 
	otc INTEGER NOT NULL, 
	mid BLOB NOT NULL, 
	tsn INTEGER NOT NULL, 
	terminal_id VARCHAR NOT NULL, 
	batch INTEGER NOT NULL, 
	stan INTEGER NOT NULL, 
	amount_minor INTEGER NOT NULL, 
	currency INTEGER NOT NULL, 
	balance_after_minor INTEGER NOT NULL, 
	cumulative_debit_minor INTEGER NOT NULL, 
	tac BLOB NOT NULL, 
	evidence BLOB NOT NULL, 
	paid_at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (cid, otc), 
	UNIQUE (mid, tsn), 
	FOREIGN KEY(terminal_id, mid, batch, stan) REFERENCES record (terminal_id, mid, batch, stan), 
	CONSTRAINT amount_more_than_zero CHECK (amount_minor > 0), 
	FOREIGN KEY(cid) REFERENCES purse (cid)
);
INSERT INTO "payment" VALUES(X'6400000000000001',1,X'4355530000000007',2,'T0000007',1,1,1000,512,499000,1000,X'1079898B5BF3E712',X'D3AFE32982DF92FD5B61707B32E14BA5D8CB3EA7BF888B39A5BE6E4A835790FF','2025-11-22T10:15:00.000000Z');
INSERT INTO "payment" VALUES(X'6400000000000002',1,X'4355530000000007',3,'T0000007',1,2,2000,512,298000,2000,X'1E84F6A7D77DB80E',X'CF1EAED0C881575305B53350DFB6BEB2E9F85EDB419760295DF84EC13343EF7F','2025-11-22T10:15:00.000000Z');
INSERT INTO "payment" VALUES(X'6400000000000001',2,X'4355530000000007',4,'T0000007',1,3,300,512,498700,1300,X'AC667BE58527F990',X'2FCA138A0194B5946F78279CB3809AB155DA75AC86600DE2BC088FD52EE950F6','2025-11-22T10:15:00.000000Z');
CREATE TABLE published (
	kind INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	"key" BLOB NOT NULL, 
	value BLOB, 
	at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (kind, version, "key"), 
	CONSTRAINT kind_known CHECK (kind IN (1, 3, 4))
);
CREATE TABLE purse (
	cid BLOB NOT NULL, 
	account_id INTEGER NOT NULL, 
	holder VARCHAR NOT NULL, 
	currency INTEGER NOT NULL, 
	kv INTEGER NOT NULL, 
	balance_limit_minor INTEGER NOT NULL, 
	payment_limit_minor INTEGER NOT NULL, 
	valid_from VARCHAR NOT NULL, 
	expiry VARCHAR NOT NULL, 
	issued_at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (cid), 
	FOREIGN KEY(account_id) REFERENCES account (id)
);
INSERT INTO "purse" VALUES(X'6400000000000001',1,'Al Bahr Trading LLC',512,1,2000000,2000000,'2025-01-01','2030-12-31','2025-11-22T10:15:00.000000Z');
INSERT INTO "purse" VALUES(X'6400000000000002',1,'Al Bahr Trading LLC',512,1,2000000,2000000,'2025-01-01','2030-12-31','2025-11-22T10:15:00.000000Z');
CREATE TABLE record (
	terminal_id VARCHAR(8) NOT NULL, 
	mid BLOB NOT NULL, 
	batch INTEGER NOT NULL, 
	stan INTEGER NOT NULL, 
	sequence INTEGER NOT NULL, 
	content BLOB NOT NULL, 
	evidence BLOB NOT NULL, 
	tx BLOB NOT NULL, 
	cid BLOB NOT NULL, 
	otc INTEGER NOT NULL, 
	amount_minor INTEGER NOT NULL, 
	kv INTEGER NOT NULL, 
	alg INTEGER NOT NULL, 
	balance_after_minor INTEGER NOT NULL, 
	cumulative_debit_minor INTEGER NOT NULL, 
	tac BLOB NOT NULL, 
	details VARCHAR, 
	tac_verified BOOLEAN NOT NULL, 
	decision VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	received_at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (terminal_id, mid, batch, stan), 
	FOREIGN KEY(terminal_id, mid, batch) REFERENCES batch (terminal_id, mid, batch), 
	CONSTRAINT paid_on_the_tac CHECK (decision NOT IN ('posted', 'held') OR tac_verified), 
	CONSTRAINT decision_known CHECK (decision IN ('posted', 'held', 'suspended', 'duplicate', 'conflict', 'refused'))
);
INSERT INTO "record" VALUES('T0000007',X'4355530000000007',1,1,1,X'A8DB3F0E691D351B98A0D1C8F3CFFEC537F28AFFC40EDCE8DE1FC39D569CEA21',X'D3AFE32982DF92FD5B61707B32E14BA5D8CB3EA7BF888B39A5BE6E4A835790FF',X'0106640000000000000100000001435553000000000700000002000003E8051220251122101500F4B4F1C414D33847',X'6400000000000001',1,1000,1,1,499000,1000,X'1079898B5BF3E712','{"declaration": "DEC-2025-000001", "kind": "fees", "lines": [], "clerk": "7", "request_number": "", "delivery_order": "", "service_code": ""}',1,'posted','','2025-11-22T10:15:00.000000Z');
INSERT INTO "record" VALUES('T0000007',X'4355530000000007',1,2,2,X'996683E401BBD05A7845953CF8D92FC66F8E110747FE5A07AC06DC60709D06B1',X'CF1EAED0C881575305B53350DFB6BEB2E9F85EDB419760295DF84EC13343EF7F',X'0106640000000000000200000001435553000000000700000003000007D0051220251122101500524192734EA7D913',X'6400000000000002',1,2000,1,1,298000,2000,X'1E84F6A7D77DB80E','{"declaration": "DEC-2025-000002", "kind": "deposits", "lines": [], "clerk": "7", "request_number": "", "delivery_order": "", "service_code": ""}',1,'posted','','2025-11-22T10:15:00.000000Z');
INSERT INTO "record" VALUES('T0000007',X'4355530000000007',1,3,3,X'53A76E7035B57E7C8F80D7440BA81B1875DDA971898127027AC4F9ED4153A03F',X'2FCA138A0194B5946F78279CB3809AB155DA75AC86600DE2BC088FD52EE950F6',X'01066400000000000001000000024355530000000007000000040000012C0512202511221015006219B52F8321E464',X'6400000000000001',2,300,1,1,498700,1300,X'AC667BE58527F990',NULL,1,'held','the terminal does not know what was paid; held in suspense','2025-11-22T10:15:00.000000Z');
INSERT INTO "record" VALUES('T0000007',X'4355530000000007',1,4,4,X'4D32949AB2FC9230EDCCEF629265E2DE906ACF4DB6E499E9D8A0E08B059BFA8C',X'167512EF77D823502A9D4C1EC93740181AD0F899DF8C5E8FD845DB8DB1254CED',X'0106640000000000000200000002435553000000000700000005000000280512202511221015004AE28D2E2FA79ADC',X'6400000000000002',2,40,1,1,297960,2040,X'0000000000000000','{"declaration": "DEC-2025-000004", "kind": "fees", "lines": [], "clerk": "7", "request_number": "", "delivery_order": "", "service_code": ""}',0,'suspended','the purse''s certificate (TAC) is wrong; not paid','2025-11-22T10:15:00.000000Z');
CREATE TABLE statement (
	number INTEGER NOT NULL, 
	account_id INTEGER NOT NULL, 
	first_day VARCHAR NOT NULL, 
	last_day VARCHAR NOT NULL, 
	last_entry_id INTEGER NOT NULL, 
	document VARCHAR NOT NULL, 
	digest BLOB NOT NULL, 
	issued_at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (number), 
	UNIQUE (account_id, first_day, last_day, last_entry_id), 
	FOREIGN KEY(account_id) REFERENCES account (id)
);
INSERT INTO "statement" VALUES(1,3,'2025-11-22','2025-11-22',4,'{"format":1,"number":1,"bank":{"name":"Raseed Bank","arabic_name":"بنك رصيد","address":""},"account_kind":"customs revenue","owner":"SOHAR","account_name":"SOHAR fees","currency":"OMR","first_day":"2025-11-22","last_day":"2025-11-22","zone_minutes":240,"issued_at":"2025-11-22T10:15:00+00:00","opening_minor":0,"closing_minor":1000,"entries":[{"position":1,"entry_id":4,"kind":"payment","booked_at":"2025-11-22T10:15:00+00:00","memo":"","debit_minor":0,"credit_minor":1000,"balance_minor":1000,"payment":{"declaration":"DEC-2025-000001","kind":"fees","lines":[],"clerk":"7","request_number":"","masked_card":"640000******0001","terminal_id":"T0000007","reference":"000700001001","authorisation":"107989","paid_at":"2025-11-22T10:15:00+00:00","held":false}}]}',X'B5E641FC01B0EE97E29CD763F8E9F47DE9801EEC68D62A6DDD2C1A1E7245972C','2025-11-22T10:15:00.000000Z');
CREATE TABLE terminal (
	terminal_id VARCHAR(8) NOT NULL, 
	serial INTEGER NOT NULL, 
	mid BLOB NOT NULL, 
	office VARCHAR NOT NULL, 
	currency INTEGER NOT NULL, 
	kv INTEGER NOT NULL, 
	bound_at VARCHAR(27) NOT NULL, 
	PRIMARY KEY (terminal_id, serial)
);
INSERT INTO "terminal" VALUES('T0000007',1,X'4355530000000007','SOHAR',512,1,'2025-11-22T10:15:00.000000Z');
CREATE INDEX batch_by_card ON batch (mid, batch);
CREATE INDEX terminal_by_mid ON terminal (mid);
CREATE INDEX hotlist_by_version ON hotlist (version);
CREATE INDEX record_by_card ON record (cid, otc);
CREATE INDEX leg_by_account ON leg (account_id, entry_id, debit_minor, credit_minor);
CREATE INDEX open_record_by_card ON open_record (cid);
CREATE TRIGGER account_no_update BEFORE UPDATE ON account
BEGIN
  SELECT RAISE(ABORT, 'account is append-only: correct it with a further row');
END;
CREATE TRIGGER entry_no_update BEFORE UPDATE ON entry
BEGIN
  SELECT RAISE(ABORT, 'entry is append-only: correct it with a further row');
END;
CREATE TRIGGER leg_no_update BEFORE UPDATE ON leg
BEGIN
  SELECT RAISE(ABORT, 'leg is append-only: correct it with a further row');
END;
CREATE TRIGGER terminal_no_update BEFORE UPDATE ON terminal
BEGIN
  SELECT RAISE(ABORT, 'terminal is append-only: correct it with a further row');
END;
CREATE TRIGGER certificate_no_update BEFORE UPDATE ON certificate
BEGIN
  SELECT RAISE(ABORT, 'certificate is append-only: correct it with a further row');
END;
CREATE TRIGGER certificate_seen_no_update BEFORE UPDATE ON certificate_seen
BEGIN
  SELECT RAISE(ABORT, 'certificate_seen is append-only: correct it with a further row');
END;
CREATE TRIGGER certificate_revoked_no_update BEFORE UPDATE ON certificate_revoked
BEGIN
  SELECT RAISE(ABORT, 'certificate_revoked is append-only: correct it with a further row');
END;
CREATE TRIGGER purse_no_update BEFORE UPDATE ON purse
BEGIN
  SELECT RAISE(ABORT, 'purse is append-only: correct it with a further row');
END;
CREATE TRIGGER hotlist_no_update BEFORE UPDATE ON hotlist
BEGIN
  SELECT RAISE(ABORT, 'hotlist is append-only: correct it with a further row');
END;
CREATE TRIGGER published_no_update BEFORE UPDATE ON published
BEGIN
  SELECT RAISE(ABORT, 'published is append-only: correct it with a further row');
END;
CREATE TRIGGER load_no_update BEFORE UPDATE ON load
BEGIN
  SELECT RAISE(ABORT, 'load is append-only: correct it with a further row');
END;
CREATE TRIGGER load_outcome_no_update BEFORE UPDATE ON load_outcome
BEGIN
  SELECT RAISE(ABORT, 'load_outcome is append-only: correct it with a further row');
END;
CREATE TRIGGER batch_no_update BEFORE UPDATE ON batch
BEGIN
  SELECT RAISE(ABORT, 'batch is append-only: correct it with a further row');
END;
CREATE TRIGGER batch_collected_no_update BEFORE UPDATE ON batch_collected
BEGIN
  SELECT RAISE(ABORT, 'batch_collected is append-only: correct it with a further row');
END;
CREATE TRIGGER record_no_update BEFORE UPDATE ON record
BEGIN
  SELECT RAISE(ABORT, 'record is append-only: correct it with a further row');
END;
CREATE TRIGGER payment_no_update BEFORE UPDATE ON payment
BEGIN
  SELECT RAISE(ABORT, 'payment is append-only: correct it with a further row');
END;
CREATE TRIGGER open_report_no_update BEFORE UPDATE ON open_report
BEGIN
  SELECT RAISE(ABORT, 'open_report is append-only: correct it with a further row');
END;
CREATE TRIGGER open_record_no_update BEFORE UPDATE ON open_record
BEGIN
  SELECT RAISE(ABORT, 'open_record is append-only: correct it with a further row');
END;
CREATE TRIGGER open_resolution_no_update BEFORE UPDATE ON open_resolution
BEGIN
  SELECT RAISE(ABORT, 'open_resolution is append-only: correct it with a further row');
END;
CREATE TRIGGER incident_no_update BEFORE UPDATE ON incident
BEGIN
  SELECT RAISE(ABORT, 'incident is append-only: correct it with a further row');
END;
CREATE TRIGGER incident_closed_no_update BEFORE UPDATE ON incident_closed
BEGIN
  SELECT RAISE(ABORT, 'incident_closed is append-only: correct it with a further row');
END;
CREATE TRIGGER audit_head_no_update BEFORE UPDATE ON audit_head
BEGIN
  SELECT RAISE(ABORT, 'audit_head is append-only: correct it with a further row');
END;
CREATE TRIGGER statement_no_update BEFORE UPDATE ON statement
BEGIN
  SELECT RAISE(ABORT, 'statement is append-only: correct it with a further row');
END;
CREATE TRIGGER account_no_delete BEFORE DELETE ON account
BEGIN
  SELECT RAISE(ABORT, 'account is append-only: correct it with a further row');
END;
CREATE TRIGGER entry_no_delete BEFORE DELETE ON entry
BEGIN
  SELECT RAISE(ABORT, 'entry is append-only: correct it with a further row');
END;
CREATE TRIGGER leg_no_delete BEFORE DELETE ON leg
BEGIN
  SELECT RAISE(ABORT, 'leg is append-only: correct it with a further row');
END;
CREATE TRIGGER terminal_no_delete BEFORE DELETE ON terminal
BEGIN
  SELECT RAISE(ABORT, 'terminal is append-only: correct it with a further row');
END;
CREATE TRIGGER certificate_no_delete BEFORE DELETE ON certificate
BEGIN
  SELECT RAISE(ABORT, 'certificate is append-only: correct it with a further row');
END;
CREATE TRIGGER certificate_seen_no_delete BEFORE DELETE ON certificate_seen
BEGIN
  SELECT RAISE(ABORT, 'certificate_seen is append-only: correct it with a further row');
END;
CREATE TRIGGER certificate_revoked_no_delete BEFORE DELETE ON certificate_revoked
BEGIN
  SELECT RAISE(ABORT, 'certificate_revoked is append-only: correct it with a further row');
END;
CREATE TRIGGER purse_no_delete BEFORE DELETE ON purse
BEGIN
  SELECT RAISE(ABORT, 'purse is append-only: correct it with a further row');
END;
CREATE TRIGGER hotlist_no_delete BEFORE DELETE ON hotlist
BEGIN
  SELECT RAISE(ABORT, 'hotlist is append-only: correct it with a further row');
END;
CREATE TRIGGER published_no_delete BEFORE DELETE ON published
BEGIN
  SELECT RAISE(ABORT, 'published is append-only: correct it with a further row');
END;
CREATE TRIGGER load_no_delete BEFORE DELETE ON load
BEGIN
  SELECT RAISE(ABORT, 'load is append-only: correct it with a further row');
END;
CREATE TRIGGER load_outcome_no_delete BEFORE DELETE ON load_outcome
BEGIN
  SELECT RAISE(ABORT, 'load_outcome is append-only: correct it with a further row');
END;
CREATE TRIGGER batch_no_delete BEFORE DELETE ON batch
BEGIN
  SELECT RAISE(ABORT, 'batch is append-only: correct it with a further row');
END;
CREATE TRIGGER batch_collected_no_delete BEFORE DELETE ON batch_collected
BEGIN
  SELECT RAISE(ABORT, 'batch_collected is append-only: correct it with a further row');
END;
CREATE TRIGGER record_no_delete BEFORE DELETE ON record
BEGIN
  SELECT RAISE(ABORT, 'record is append-only: correct it with a further row');
END;
CREATE TRIGGER payment_no_delete BEFORE DELETE ON payment
BEGIN
  SELECT RAISE(ABORT, 'payment is append-only: correct it with a further row');
END;
CREATE TRIGGER open_report_no_delete BEFORE DELETE ON open_report
BEGIN
  SELECT RAISE(ABORT, 'open_report is append-only: correct it with a further row');
END;
CREATE TRIGGER open_record_no_delete BEFORE DELETE ON open_record
BEGIN
  SELECT RAISE(ABORT, 'open_record is append-only: correct it with a further row');
END;
CREATE TRIGGER open_resolution_no_delete BEFORE DELETE ON open_resolution
BEGIN
  SELECT RAISE(ABORT, 'open_resolution is append-only: correct it with a further row');
END;
CREATE TRIGGER incident_no_delete BEFORE DELETE ON incident
BEGIN
  SELECT RAISE(ABORT, 'incident is append-only: correct it with a further row');
END;
CREATE TRIGGER incident_closed_no_delete BEFORE DELETE ON incident_closed
BEGIN
  SELECT RAISE(ABORT, 'incident_closed is append-only: correct it with a further row');
END;
CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
BEGIN
  SELECT RAISE(ABORT, 'audit_head is append-only: correct it with a further row');
END;
CREATE TRIGGER statement_no_delete BEFORE DELETE ON statement
BEGIN
  SELECT RAISE(ABORT, 'statement is append-only: correct it with a further row');
END;
CREATE TRIGGER account_no_replace BEFORE INSERT ON account WHEN EXISTS (SELECT 1 FROM account WHERE id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'account is append-only: this key is taken');
END;
CREATE TRIGGER entry_no_replace BEFORE INSERT ON entry WHEN EXISTS (SELECT 1 FROM entry WHERE id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'entry is append-only: this key is taken');
END;
CREATE TRIGGER payment_no_replace BEFORE INSERT ON payment WHEN EXISTS (SELECT 1 FROM payment WHERE cid = NEW.cid AND otc = NEW.otc)
BEGIN
  SELECT RAISE(ABORT, 'payment is append-only: this key is taken');
END;
CREATE TRIGGER record_no_replace BEFORE INSERT ON record WHEN EXISTS (SELECT 1 FROM record WHERE terminal_id = NEW.terminal_id AND mid = NEW.mid AND batch = NEW.batch AND stan = NEW.stan)
BEGIN
  SELECT RAISE(ABORT, 'record is append-only: this key is taken');
END;
CREATE TRIGGER published_no_replace BEFORE INSERT ON published WHEN EXISTS (SELECT 1 FROM published WHERE kind = NEW.kind AND version = NEW.version AND key = NEW.key)
BEGIN
  SELECT RAISE(ABORT, 'published is append-only: this key is taken');
END;
CREATE TRIGGER load_no_replace BEFORE INSERT ON load WHEN EXISTS (SELECT 1 FROM load WHERE cid = NEW.cid AND ltc = NEW.ltc)
BEGIN
  SELECT RAISE(ABORT, 'load is append-only: this key is taken');
END;
CREATE TRIGGER load_outcome_no_replace BEFORE INSERT ON load_outcome WHEN EXISTS (SELECT 1 FROM load_outcome WHERE cid = NEW.cid AND ltc = NEW.ltc)
BEGIN
  SELECT RAISE(ABORT, 'load_outcome is append-only: this key is taken');
END;
CREATE TRIGGER certificate_no_replace BEFORE INSERT ON certificate WHEN EXISTS (SELECT 1 FROM certificate WHERE terminal_id = NEW.terminal_id AND number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'certificate is append-only: this key is taken');
END;
CREATE TRIGGER certificate_seen_no_replace BEFORE INSERT ON certificate_seen WHEN EXISTS (SELECT 1 FROM certificate_seen WHERE terminal_id = NEW.terminal_id AND number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'certificate_seen is append-only: this key is taken');
END;
CREATE TRIGGER certificate_revoked_no_replace BEFORE INSERT ON certificate_revoked WHEN EXISTS (SELECT 1 FROM certificate_revoked WHERE terminal_id = NEW.terminal_id AND number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'certificate_revoked is append-only: this key is taken');
END;
CREATE TRIGGER open_record_no_replace BEFORE INSERT ON open_record WHEN EXISTS (SELECT 1 FROM open_record WHERE mid = NEW.mid AND tsn = NEW.tsn)
BEGIN
  SELECT RAISE(ABORT, 'open_record is append-only: this key is taken');
END;
CREATE TRIGGER open_resolution_no_replace BEFORE INSERT ON open_resolution WHEN EXISTS (SELECT 1 FROM open_resolution WHERE mid = NEW.mid AND tsn = NEW.tsn)
BEGIN
  SELECT RAISE(ABORT, 'open_resolution is append-only: this key is taken');
END;
CREATE TRIGGER incident_closed_no_replace BEFORE INSERT ON incident_closed WHEN EXISTS (SELECT 1 FROM incident_closed WHERE incident_id = NEW.incident_id)
BEGIN
  SELECT RAISE(ABORT, 'incident_closed is append-only: this key is taken');
END;
CREATE TRIGGER audit_head_no_replace BEFORE INSERT ON audit_head WHEN EXISTS (SELECT 1 FROM audit_head WHERE terminal_id = NEW.terminal_id AND serial = NEW.serial)
BEGIN
  SELECT RAISE(ABORT, 'audit_head is append-only: this key is taken');
END;
CREATE TRIGGER statement_no_replace BEFORE INSERT ON statement WHEN EXISTS (SELECT 1 FROM statement WHERE number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'statement is append-only: this key is taken');
END;
CREATE TRIGGER leg_sealed BEFORE INSERT ON leg
WHEN EXISTS (SELECT 1 FROM entry WHERE id = NEW.entry_id)
  OR EXISTS (SELECT 1 FROM leg
             WHERE entry_id = NEW.entry_id AND number = NEW.number)
BEGIN
  SELECT RAISE(ABORT, 'the entry is complete: no leg can be added');
END;
CREATE TRIGGER entry_balances BEFORE INSERT ON entry
BEGIN
  SELECT RAISE(ABORT, 'the legs of an entry must balance')
  WHERE COALESCE((SELECT SUM(debit_minor) FROM leg WHERE entry_id = NEW.id), 0)
          <> NEW.amount_minor
     OR COALESCE((SELECT SUM(credit_minor) FROM leg WHERE entry_id = NEW.id), 0)
          <> NEW.amount_minor;
  SELECT RAISE(ABORT, 'the legs of an entry must be of its currency')
  WHERE EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                WHERE leg.entry_id = NEW.id AND account.currency <> NEW.currency);
END;
CREATE TRIGGER entry_of_payment BEFORE INSERT ON entry WHEN NEW.kind = 'payment'
BEGIN
  SELECT RAISE(ABORT, 'a payment is posted only on its verified TAC')
  WHERE NOT EXISTS (SELECT 1 FROM payment
                    WHERE cid = NEW.cid AND hex(cid) = NEW.subject
                      AND otc = NEW.number
                      AND amount_minor = NEW.amount_minor
                      AND currency = NEW.currency);
  SELECT RAISE(ABORT, 'a payment is debited to the float of its own purse')
  WHERE NOT EXISTS (SELECT 1 FROM leg JOIN account ON account.id = leg.account_id
                    WHERE leg.entry_id = NEW.id
                      AND leg.debit_minor = NEW.amount_minor
                      AND account.kind = 'purse float'
                      AND account.owner = NEW.subject);
END;
CREATE TRIGGER entry_of_reversal BEFORE INSERT ON entry
WHEN NEW.kind = 'load reversal'
BEGIN
  SELECT RAISE(ABORT, 'a load is reversed only when the purse voided it')
  WHERE NOT EXISTS (SELECT 1 FROM load_outcome AS outcome
                    JOIN load ON load.cid = outcome.cid AND load.ltc = outcome.ltc
                    WHERE outcome.cid = NEW.cid AND hex(outcome.cid) = NEW.subject
                      AND outcome.ltc = NEW.number
                      AND outcome.outcome = 'voided'
                      AND load.amount_minor = NEW.amount_minor);
END;
CREATE TRIGGER payment_on_tac BEFORE INSERT ON payment
BEGIN
  SELECT RAISE(ABORT, 'a payment is posted only on its verified TAC')
  WHERE NOT EXISTS (SELECT 1 FROM record
                    WHERE terminal_id = NEW.terminal_id AND mid = NEW.mid
                      AND batch = NEW.batch AND stan = NEW.stan
                      AND cid = NEW.cid AND otc = NEW.otc
                      AND amount_minor = NEW.amount_minor
                      AND evidence = NEW.evidence AND tac = NEW.tac
                      AND tac_verified = 1
                      AND decision IN ('posted', 'held'));
END;
CREATE TRIGGER open_record_delivered BEFORE INSERT ON open_resolution
WHEN NEW.how = 'delivered'
BEGIN
  SELECT RAISE(ABORT, 'an open record is delivered only when its payment is booked')
  WHERE NOT EXISTS (SELECT 1 FROM payment
                    JOIN open_record AS opened
                      ON opened.mid = payment.mid AND opened.tsn = payment.tsn
                     AND opened.cid = payment.cid AND opened.otc = payment.otc
                    WHERE payment.mid = NEW.mid AND payment.tsn = NEW.tsn);
END;
COMMIT;
PRAGMA user_version = 4;
PRAGMA application_id = 1381188932;
