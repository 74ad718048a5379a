-- What the documents of OpenPanel print and no table had: properties of a visit, which hold nothing here, and imported events
-- under a name of their own.
ALTER TABLE analytics.sessions ADD COLUMN IF NOT EXISTS `properties` Map(String, String) ALIAS CAST(map(), 'Map(String, String)');

CREATE VIEW IF NOT EXISTS analytics.events_imports AS
SELECT
    tenant_id, id, name, created_at, session_id, device_id, profile_id, sdk_name, sdk_version, path, origin, referrer, referrer_name,
    referrer_type, country, region, city, longitude, latitude, os, os_version, browser, browser_version, device, brand, model, duration,
    revenue, groups, properties, imported_at, tenant_id AS project_id, tenant_id AS client_id
FROM analytics.events
WHERE imported_at IS NOT NULL;
