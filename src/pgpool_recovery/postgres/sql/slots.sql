select slot_name as name, slot_type = 'physical' as is_physical, active as is_active, wal_status
  from pg_replication_slots
