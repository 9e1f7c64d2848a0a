"""The engine that reads by JDBC and writes Delta with Spark, classic or through Spark Connect."""
