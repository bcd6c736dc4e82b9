-- A store as the last program with tables of version 1 left it: one filter, one session, one minute of metrics.
BEGIN TRANSACTION;
CREATE TABLE halfsilver_links (
	serial INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	PRIMARY KEY (serial, name)
);
INSERT INTO "halfsilver_links" VALUES(2,'TrafficMirrorFilterId=tmf-00000000000000001');
INSERT INTO "halfsilver_links" VALUES(2,'TrafficMirrorTargetId=tmt-00000000000000001');
INSERT INTO "halfsilver_links" VALUES(2,'VirtualNetworkId=7');
CREATE TABLE halfsilver_meta (
	name VARCHAR NOT NULL, 
	value BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "halfsilver_meta" VALUES('schema',1);
INSERT INTO "halfsilver_meta" VALUES('generation',1);
CREATE TABLE halfsilver_minutes (
	minute BIGINT NOT NULL, 
	session VARCHAR NOT NULL, 
	interface VARCHAR NOT NULL, 
	instance VARCHAR NOT NULL, 
	account VARCHAR NOT NULL, 
	"NetworkMirrorIn" BIGINT NOT NULL, 
	"NetworkMirrorOut" BIGINT NOT NULL, 
	"NetworkPacketsMirrorIn" BIGINT NOT NULL, 
	"NetworkPacketsMirrorOut" BIGINT NOT NULL, 
	"NetworkSkipMirrorIn" BIGINT NOT NULL, 
	"NetworkSkipMirrorOut" BIGINT NOT NULL, 
	"NetworkPacketsSkipMirrorIn" BIGINT NOT NULL, 
	"NetworkPacketsSkipMirrorOut" BIGINT NOT NULL, 
	PRIMARY KEY (minute, session)
);
INSERT INTO "halfsilver_minutes" VALUES(1763799960,'tms-00000000000000001','eni-00000000000000001','i-00000000000000001','111122223333',1,2,3,4,5,6,7,8);
CREATE TABLE halfsilver_records (
	serial INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	kind VARCHAR NOT NULL, 
	id VARCHAR NOT NULL, 
	account VARCHAR NOT NULL, 
	parent VARCHAR NOT NULL, 
	slot VARCHAR NOT NULL, 
	document JSON NOT NULL, 
	tags JSON NOT NULL, 
	note JSON NOT NULL, 
	UNIQUE (id)
);
INSERT INTO "halfsilver_records" VALUES(1,'filter','tmf-00000000000000001','111122223333','','','{"NetworkServices": ["amazon-dns"], "TrafficMirrorFilterId": "tmf-00000000000000001"}','{"Name": "zw\u00f6lf"}','{}');
INSERT INTO "halfsilver_records" VALUES(2,'session','tms-00000000000000001','111122223333','eni-00000000000000001','1','{"TrafficMirrorSessionId": "tms-00000000000000001", "TrafficMirrorTargetId": "tmt-00000000000000001", "TrafficMirrorFilterId": "tmf-00000000000000001", "VirtualNetworkId": 7}','{}','{"stopped": "tmt-00000000000000001 was deleted"}');
CREATE INDEX halfsilver_records_by_account ON halfsilver_records (kind, account, serial);
CREATE UNIQUE INDEX halfsilver_records_slot ON halfsilver_records (kind, parent, slot) WHERE slot != '';
CREATE INDEX halfsilver_records_by_parent ON halfsilver_records (kind, parent, serial);
CREATE INDEX halfsilver_links_by_name ON halfsilver_links (name, serial);
CREATE INDEX halfsilver_minutes_by_instance ON halfsilver_minutes (account, instance, minute);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('halfsilver_records',2);
COMMIT;
